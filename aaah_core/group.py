"""One group of the channel layer, as this process has it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

from aaah_core.numbering import Heard

if TYPE_CHECKING:
    from aaah_core.connection import Connection

__all__ = ["Group"]

#: Connections of one plan and codec: what is the same for all is worked out once for them.
Audience: TypeAlias = dict["Connection", None]


class Group:
    """A group with members here, or that somebody joins."""

    __slots__ = (
        "again",
        "audiences",
        "channel",
        "heard",
        "joined",
        "joining",
        "name",
        "opening",
        "seq",
        "task",
        "telling",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.audiences: dict[tuple[int, int], Audience] = {}
        #: How many are about to be members.
        self.joining = 0
        #: Held by the one that joins the group for all.
        self.opening = asyncio.Lock()
        self.channel = ""
        #: What listens; None before the layer gave a channel.
        self.task: asyncio.Task[None] | None = None
        #: Whether the layer took the channel into the group.
        self.joined = False
        self.heard = Heard()
        #: The number of the last event, as members see it.
        self.seq = 0
        #: Whether members were told to resync not long ago, and whether they are to be told again.
        self.telling = self.again = False

    def add(self, member: Connection) -> None:
        """Let a connection have what the group is sent."""
        self.audiences.setdefault(_kind(member), {})[member] = None

    def discard(self, member: Connection) -> None:
        """Let it have no more."""
        kind = _kind(member)
        audience = self.audiences.get(kind, {})
        audience.pop(member, None)
        if not audience:
            self.audiences.pop(kind, None)


def _kind(member: Connection) -> tuple[int, int]:
    return id(member.plan), id(member.codec)

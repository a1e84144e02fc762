"""What this process holds and what has happened in it, for plugins that show it to somebody."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from aaah_core import leaving, watchdog
from aaah_core.connection import Connection
from aaah_core.counters import counted
from aaah_core.workers import Workers, workers

__all__ = ["Metrics", "Queues", "measure"]


@dataclass(frozen=True, slots=True)
class Queues:
    """Queues of one kind, one of each connection."""

    #: What waits in all of them.
    messages: int
    #: What waits in the longest.
    longest: int


@dataclass(frozen=True, slots=True)
class Metrics:
    """A look at this process. Labels are names of classes and words of ours, never a client's."""

    #: Connections that are open, by consumer; 0 where there were some.
    connections: dict[str, int]
    #: Connections that were accepted since the process began, by consumer.
    accepted: dict[str, int]
    #: Handshakes that were refused: by the name of the limit (see `Limits`), or `codec`, `denied`
    #: (by a check), `consumer` (by its `connect()`), `error` or `leaving`.
    refused: dict[str, int]
    #: Connections that ended, by close code; a code that is neither ours nor usual is `other`.
    closed: dict[str, int]
    #: What clients asked too much: `inbox` (a call was refused), `rate` (a call was throttled),
    #: `outbox` and `send_timeout` (a client that does not read was closed).
    overloads: dict[str, int]
    #: Events: `published` by this process, `unpublished` as the layer was away, `delivered` to its
    #: connections, `lost` on the way here (of groups with members here), and `resync`: connections
    #: that were told so.
    events: dict[str, int]
    #: Calls that wait.
    inboxes: Queues
    #: Frames that wait to be sent.
    outboxes: Queues
    #: Memberships of groups; a connection in two groups has two.
    memberships: int
    #: The threads for sync code.
    workers: Workers
    #: Whether the server was told to end.
    leaving: bool


def measure() -> Metrics:
    """Return what this process holds now, and what it has counted; any thread may ask.

    It looks at each connection, so ask a few times a minute and not with every message. Calls are
    not counted by the core: a middleware can do so, as `aaah-prometheus` does.
    """
    connections = [
        each
        for loop in watchdog.loops()
        for each in watchdog.watched(loop)
        if isinstance(each, Connection) and each.transport.open
    ]
    inboxes, outboxes, memberships = [0], [0], 0
    for connection in connections:
        calls, frames, groups = connection.depths()
        inboxes.append(calls)
        outboxes.append(frames)
        memberships += groups
    accepted = counted("accepted")
    return Metrics(
        connections=dict.fromkeys(accepted, 0) | Counter(each.label for each in connections),
        accepted=accepted,
        refused=counted("refused"),
        closed=counted("closed"),
        overloads=counted("overloads"),
        events=counted("events"),
        inboxes=Queues(sum(inboxes), max(inboxes)),
        outboxes=Queues(sum(outboxes), max(outboxes)),
        memberships=memberships,
        workers=workers(),
        leaving=leaving.began(),
    )

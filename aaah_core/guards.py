"""All checks of one moment, of a handler and its parents, ready to be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aaah_core.moments import blame, granted
from aaah_core.workers import run_sync

if TYPE_CHECKING:
    from aaah_core.handlers import AsyncActionHandler
    from aaah_core.messages import Call
    from aaah_core.moments import Moment

__all__ = ["Guard", "ancestor"]


@dataclass(slots=True, frozen=True)
class Guard:
    """The checks of one moment: those on the event loop, and those for a worker thread.

    Each stands with how many parents up its handler is.
    """

    awaited: tuple[tuple[int, Moment], ...] = ()
    blocking: tuple[tuple[int, Moment], ...] = ()

    @classmethod
    def of(cls, moments: list[tuple[int, Moment]]) -> Guard:
        """Return the guard of the moments of a handler and its parents, the outermost first."""
        return cls(
            tuple(each for each in moments if each[1].awaited),
            tuple(each for each in moments if not each[1].awaited),
        )

    async def allows(self, handler: AsyncActionHandler, call: Call, *arguments: Any) -> bool:
        """Ask all of them, with one hop to a worker thread if any needs it."""
        if not await self.allows_on_loop(handler, call, *arguments):
            return False
        if not self.blocking:
            return True
        return await run_sync(self.allows_in_worker, handler, call, *arguments)

    async def allows_on_loop(
        self, handler: AsyncActionHandler, call: Call, *arguments: Any
    ) -> bool:
        """Ask those that are async."""
        try:
            for up, moment in self.awaited:
                call.handler = ancestor(handler, up) if up else handler
                try:
                    answer = await moment.ask(call, *arguments)
                except Exception as error:
                    blame(error, moment.source)
                    raise
                if not granted(answer, moment.source, call):
                    return False
        finally:
            call.handler = handler
        return True

    def allows_in_worker(self, handler: AsyncActionHandler, call: Call, *arguments: Any) -> bool:
        """Ask those that are plain; the caller is a worker thread."""
        return _in_worker(self.blocking, handler, call, *arguments)

    def allows_all_in_worker(
        self, handler: AsyncActionHandler, call: Call, *arguments: Any
    ) -> bool:
        """Ask all of them; the caller is a worker thread."""
        return _in_worker((*self.awaited, *self.blocking), handler, call, *arguments)


def _in_worker(
    asked: tuple[tuple[int, Moment], ...], handler: AsyncActionHandler, call: Call, *arguments: Any
) -> bool:
    try:
        for up, moment in asked:
            call.handler = ancestor(handler, up) if up else handler
            if not moment.ask_in_worker(call, *arguments):
                return False
    finally:
        call.handler = handler
    return True


def ancestor(handler: AsyncActionHandler, up: int) -> AsyncActionHandler:
    """Return the handler that stands so many parents up."""
    for _ in range(up):
        if handler.parent is not None:
            handler = handler.parent
    return handler

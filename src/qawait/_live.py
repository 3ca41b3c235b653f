"""A view in a notebook that goes on changing after its cell has ended.

A mimebundle is written once; a *display* has an id, under which it can be written anew, by
any cell and by none. So what is under way is shown as a display, and a task on the
running loop writes it anew when there is news. The notebook keeps what was written last,
which widgets would not.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import uuid
from contextvars import Context
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PAUSE", "kernel_shell", "show_live"]

log = logging.getLogger("qawait")

_CELL_ENDED = "post_run_cell"
PAUSE = 0.5
"""Seconds between two looks; nothing is written unless something has changed."""


def show_live(
    thing: object, bundle: Callable[[], dict[str, str]], over: Callable[[], bool]
) -> None:
    """Show a thing in the cell that runs, and keep the view new until the thing ends.

    Shown again, it is the same view in two places.

    Args:
        thing: What is shown; each has one view.
        bundle: How it looks now.
        over: Whether it will look like that for ever.

    Raises:
        NotImplementedError: There is nothing that could be kept new: no kernel, no
            event loop, or the thing has ended. IPython then shows the mimebundle.
    """
    shell = kernel_shell()
    if shell is None or over():
        raise NotImplementedError
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise NotImplementedError from None
    view = _views.get(id(thing))
    if view is None or view.task.done() or view.loop.is_closed():
        view = _views[id(thing)] = _View(thing, bundle, over, loop, shell)
    view.appear()


class _View:
    """The displays of one thing, all of which have one id."""

    def __init__(
        self,
        thing: object,
        bundle: Callable[[], dict[str, str]],
        over: Callable[[], bool],
        loop: asyncio.AbstractEventLoop,
        shell: Any,
    ) -> None:
        self.loop = loop
        self._thing = thing
        self._bundle = bundle
        self._over = over
        self._id = f"qawait-{uuid.uuid4()}"
        self._shown = self._certain = bundle()
        self._events = shell.events
        self._events.register(_CELL_ENDED, self._cell_ended)
        self.task = loop.create_task(self._follow(), name="qawait view")

    def appear(self) -> None:
        """In the cell that runs."""
        self._shown = self._certain = self._bundle()
        _publish(self._shown, display_id=self._id)

    async def _follow(self) -> None:
        try:
            ended = False
            while not ended:
                await asyncio.sleep(PAUSE)
                # asked before it is written, so that the last state is among those seen
                ended = self._over()
                now = self._bundle()
                if now != self._shown:
                    # in an empty context: a kernel keeps in it which cell asked, and
                    # this belongs to no cell
                    Context().run(self._renew, now)
        except Exception:
            self._fail()

    def _cell_ended(self, _: object) -> None:
        """Write once more, as a part of this cell, what none was there to hear.

        Programs that run notebooks hear nothing between two cells.
        """
        try:
            now = self._bundle()
            if now != self._certain:
                self._renew(now)
                self._certain = now
            if self.task.done():
                self._forget()
        except Exception:
            self._fail()

    def _renew(self, bundle: dict[str, str]) -> None:
        self._shown = bundle
        _publish(bundle, display_id=self._id, update=True)

    def _fail(self) -> None:
        """What goes wrong in a view ends the view, and nothing else."""
        log.warning("a view in the notebook is not renewed any more", exc_info=True)
        self.task.cancel()
        self._forget()

    def _forget(self) -> None:
        self._events.unregister(_CELL_ENDED, self._cell_ended)
        if _views.get(id(self._thing)) is self:
            del _views[id(self._thing)]


_views: dict[int, _View] = {}
"""By the identity of what they show, which they keep alive."""


def kernel_shell() -> Any:
    """IPython, where it runs behind a front end that can renew a display; else None."""
    if "IPython" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    return shell if getattr(shell, "kernel", None) is not None else None


def _publish(bundle: dict[str, str], **options: Any) -> None:
    from IPython.core import display_functions

    cast("Any", display_functions).display(bundle, raw=True, **options)

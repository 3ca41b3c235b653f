"""An event loop on a clock that jumps to what comes next: hours pass in milliseconds."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import errno
import ipaddress
import selectors
import socket
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from qawait._clock import use_clock
from qawait.errors import ConfigurationError
from qawait.testing.outside import Beside, outside_calls_counted
from qawait.testing.wires import Address, Listener, Wire, connected

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Sequence

__all__ = ["START", "VirtualTimeLoop", "run_virtual", "set_wall_clock", "stall"]

_T = TypeVar("_T")

START = datetime(2030, 1, 1, tzinfo=UTC)
"""The time of day at which a virtual world begins unless it is told."""

LATENCY = 0.005
"""Seconds on the way from one end of a connection to the other. Not 0, so that the
clock moves on for who asks without a pause."""

_PATIENCE = 10.0
"""Real seconds for which the end of a child process is waited for."""
_FIRST_PORT = 49152
_EVERYWHERE = (None, "", "0.0.0.0", "::")


def run_virtual(
    main: Callable[..., Coroutine[Any, Any, _T]],
    *args: Any,
    start: datetime = START,
    latency: float = LATENCY,
) -> _T:
    """Run an asynchronous function in virtual time and return what it returns.

    Args:
        main: The function.
        args: Its positional arguments.
        start: The time of day at which it starts (aware).
        latency: Seconds on the way from one end of a connection to the other.

    Raises:
        ConfigurationError: An event loop runs here already.
        RuntimeError: All tasks wait and nothing is due; it tells where they wait.
    """
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        raise ConfigurationError(
            "run_virtual runs an event loop of its own: call it from a function that "
            "is not async"
        )
    new_loop = partial(VirtualTimeLoop, start=start, latency=latency)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main(*args))


def stall(seconds: float) -> None:
    """Move the clock on at once, as if this process had been stopped for that time.

    What was due meanwhile happens right afterwards, as after a suspended laptop wakes
    up, or after a call that blocked the loop.
    """
    _loop().stall(seconds)


def set_wall_clock(moment: datetime) -> None:
    """Set the time of day (aware), forth or back; what waits, waits as long as before.

    It goes on from there. This is what a correction of the system's clock does.
    """
    _loop().clock.set(moment)


def _loop() -> VirtualTimeLoop:
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualTimeLoop):
        raise ConfigurationError("this clock is not virtual: use run_virtual")
    return loop


class _VirtualClock:
    """The time of day in a virtual world, which goes on with the loop's time."""

    def __init__(self, loop: VirtualTimeLoop, start: datetime) -> None:
        self._loop = loop
        self.set(start)

    def set(self, moment: datetime) -> None:
        if moment.tzinfo is None:
            raise ConfigurationError("a time of day needs a time zone: add tzinfo=UTC")
        self._zero = moment.timestamp() - self._loop.time()

    def time(self) -> float:
        return self._zero + self._loop.time()


class _JumpingSelector(selectors.DefaultSelector):
    """Never sleeps: where a loop would wait, the clock moves on by that time.

    It does wait, and the clock stands still, while the answer of a process is awaited,
    which lives in real time.
    """

    def __init__(
        self, explain: Callable[[], str], has_children: Callable[[], bool]
    ) -> None:
        super().__init__()
        self.has_children = has_children
        self.now = 0.0
        self.outside = 0
        """Answers that are awaited from processes."""
        self._explain = explain

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.outside:
            return super().select(None)
        if timeout is None:
            ready = super().select(_PATIENCE) if self.has_children() else ready
            if ready:
                return ready
            raise RuntimeError(self._explain())
        self.now += max(timeout, 0.0)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio loop on a clock of its own, with a network of its own.

    The clock stands still while anything can run, and then jumps to the next timer.
    Whatever its tasks open or serve on TCP stays within the loop; other hosts cannot
    be reached. Most programs use `run_virtual` instead; where a test runner makes the
    loop, this is its `loop_factory`.

    A call of `anyio.to_thread` or `asyncio.to_thread` takes no virtual time, and the
    other tasks wait until it has returned. Not supported: TLS, UDP, child processes
    other than workers of `anyio.to_process`, and threads that wait for the loop or for
    each other.
    """

    def __init__(self, *, start: datetime = START, latency: float = LATENCY) -> None:
        """Make a loop.

        Args:
            start: The time of day at which it starts (aware).
            latency: Seconds on the way from one end of a connection to the other.
        """
        self._jumping = _JumpingSelector(self._who_waits, self._has_children)
        self._children: WeakSet[Any] = WeakSet()
        self._beside = Beside()
        self.clock = _VirtualClock(self, start)
        self._latency = latency
        self._listeners: dict[Address, Listener] = {}
        self._dialled: WeakKeyDictionary[socket.socket, Listener] = WeakKeyDictionary()
        self._next_port = _FIRST_PORT
        super().__init__(self._jumping)

    # --- time -------------------------------------------------------------------------

    def time(self) -> float:
        """Seconds since this loop was made, by its own clock."""
        return self._jumping.now

    def stall(self, seconds: float) -> None:
        """Move the clock on at once; see `qawait.testing.stall`."""
        if not 0 <= seconds < float("inf"):
            raise ConfigurationError("a clock is stalled by 0 seconds or more")
        self._jumping.now += seconds

    def run_forever(self) -> None:
        """Run until stopped; calls to threads and processes are counted meanwhile."""
        with outside_calls_counted():
            super().run_forever()

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """Call back at a time; one that never comes is nothing to jump to."""
        if when == float("inf"):
            return asyncio.TimerHandle(when, callback, args, self, context)
        return super().call_at(when, callback, *args, context=context)

    def create_task(self, coro: Any, **options: Any) -> Any:
        """Make a task, which tells the time of day by this loop's clock."""
        context = options.pop("context", None)
        if context is None:
            context = contextvars.copy_context()
        context.run(use_clock, self.clock)
        return super().create_task(coro, context=context, **options)

    def _who_waits(self) -> str:
        lines = ["nothing is due and nothing can happen any more; these tasks wait:"]
        for task in asyncio.all_tasks(self):
            frames = task.get_stack(limit=1)
            where = f"{frames[0].f_code.co_filename}:{frames[0].f_lineno}" * bool(
                frames
            )
            lines.append(f"  {task.get_name()} {where or 'not started'}")
        return "\n".join(lines)

    # --- what lives in real time ------------------------------------------------------

    @contextlib.contextmanager
    def standing_still(self) -> Generator[None]:
        """Let the clock stand still, and really wait, while the block awaits something.

        For what comes from outside of the loop, such as the answer of a process.
        """
        self._jumping.outside += 1
        try:
            yield
        finally:
            self._jumping.outside -= 1

    def call_beside(self, function: Callable[[], _T]) -> _T:
        """Call a function in a thread and wait for it, as `anyio.to_thread` does here.

        All tasks wait meanwhile, so that their order does not depend on real time.
        """
        return self._beside.call(function)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """Call a function in a thread; it has returned when this does."""
        future = self.create_future()
        try:
            future.set_result(self.call_beside(partial(func, *args)))
        except Exception as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Close the loop and end its thread."""
        if not self.is_closed():
            super().close()
            self._beside.close()

    async def subprocess_exec(self, *args: Any, **options: Any) -> Any:
        """Start a child process; that it ends is waited for where nothing is due."""
        transport, protocol = await super().subprocess_exec(*args, **options)
        self._children.add(transport)
        return transport, protocol

    def _has_children(self) -> bool:
        return any(child.get_returncode() is None for child in self._children)

    # --- the network ------------------------------------------------------------------

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        """Resolve the names that this machine has without asking anybody."""
        name = host.decode() if isinstance(host, bytes) else host
        place = _normal(name)
        try:
            version = ipaddress.ip_address(place).version
        except ValueError:
            raise socket.gaierror(
                socket.EAI_NONAME, f"{name} is not known in virtual time"
            ) from None
        of_version = socket.AF_INET if version == 4 else socket.AF_INET6
        number = int(port or 0)
        address = (place, number) if version == 4 else (place, number, 0, 0)
        kind = type or socket.SOCK_STREAM
        return [(of_version, kind, proto or socket.IPPROTO_TCP, "", address)]

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect a socket within this loop; it is only a token for the connection."""
        self._dialled[sock] = await self._dial(address[0], address[1])

    async def _dial(self, host: str | None, port: int) -> Listener:
        # a connection is there when word of it has gone there and back
        await asyncio.sleep(2 * self._latency)
        place = _normal(host)
        for key in ((place, port), ("", port)):
            if (listener := self._listeners.get(key)) is not None:
                return listener
        raise ConnectionRefusedError(
            errno.ECONNREFUSED,
            f"nothing listens at {host}:{port} in virtual time; other hosts cannot be "
            "reached from there",
        )

    async def create_connection(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        *,
        ssl: Any = None,
        sock: socket.socket | None = None,
        **_: Any,
    ) -> tuple[Wire, Any]:
        """Connect to a listener of this loop."""
        if ssl:
            raise ConfigurationError("there is no TLS in virtual time: use http")
        if sock is not None:
            listener = self._dialled.pop(sock, None)
            if listener is None:
                raise ConfigurationError("a real socket cannot be used in virtual time")
            sock.close()
        else:
            listener = await self._dial(host, port or 0)
        protocol = protocol_factory()
        other = listener.sockets[0].getsockname() if listener.sockets else ("", 0)
        wire = connected(
            self,
            listener,
            protocol,
            self._latency,
            own=("127.0.0.1", self._free_port()),
            other=other,
        )
        return wire, protocol

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | Sequence[str] | None = None,
        port: int | None = None,
        *,
        ssl: Any = None,
        sock: socket.socket | None = None,
        start_serving: bool = True,
        **_: Any,
    ) -> Listener:
        """Take connections from tasks of this loop; port 0 takes a free one."""
        if ssl:
            raise ConfigurationError("there is no TLS in virtual time: use http")
        if sock is not None:
            host, port = sock.getsockname()[:2]
        hosts = [host] if host is None or isinstance(host, str) else host
        number = port or self._free_port()
        places = ["" if h in _EVERYWHERE else _normal(h) for h in hosts]
        addresses = [(place, number) for place in places]
        listener = Listener(self, protocol_factory, addresses, self._listeners)
        if start_serving:
            await listener.start_serving()
        return listener

    def _free_port(self) -> int:
        self._next_port += 1
        return self._next_port - 1


def _normal(host: str | None) -> str:
    return "127.0.0.1" if host in (None, "", "localhost") else str(host)

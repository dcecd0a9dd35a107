"""One of several processes that share the public address: it does what its supervisor says.

Orders come on its standard input. When that ends, the supervisor is gone, and the worker stops. Its
argument is the supervisor's process id, for the supervisor may be gone before it looks for it.
"""

import asyncio
import os
import pickle
import signal
import struct
import sys
import threading
import time
from io import RawIOBase
from typing import Any, Literal

import structlog

from gateway import logs, run
from gateway.app import Gateway, Place
from gateway.settings import Settings
from gateway.stores import StoreUnusable

CANNOT_START = 3

log = structlog.get_logger("gateway")

_LENGTH = struct.Struct("!I")
_LOOK_SECONDS = 60.0
_LEASH_SECONDS = 1.0
_LAST_GRACE_SECONDS = 10.0

Order = tuple[Settings, Place] | Settings | Literal["stop"]
"""The first says what to be; later ones bring a changed configuration, or the end."""


def framed(order: Order) -> bytes:
    content = pickle.dumps(order)
    return _LENGTH.pack(len(content)) + content


def main() -> None:
    # Unbuffered: what comes after the first order is read by the event loop.
    with open(0, "rb", buffering=0) as stdin:
        settings, place = _first_order(stdin)
        logs.configure(settings.log)
        grace_seconds = settings.listen.drain_timeout + _LAST_GRACE_SECONDS
        leash = (int(sys.argv[1]), grace_seconds)
        threading.Thread(target=_leash, args=leash, daemon=True).start()
        try:
            run.run(_work(settings, place, stdin))
        except (StoreUnusable, OSError) as error:
            log.error("cannot_start", reason=str(error))
            sys.exit(CANNOT_START)


def _leash(supervisor: int, grace_seconds: float) -> None:
    """End the process some time after its supervisor, whatever keeps it from ending by itself.

    A worker that outlives its supervisor would go on taking a share of the connections, with
    nobody to stop it. In a thread, because what is stuck may be the event loop.
    """
    while os.getppid() == supervisor:
        time.sleep(_LEASH_SECONDS)
    time.sleep(grace_seconds)
    os._exit(1)


def _first_order(stdin: RawIOBase) -> tuple[Settings, Place]:
    (length,) = _LENGTH.unpack(_exactly(stdin, _LENGTH.size))
    order: tuple[Settings, Place] = _unpickled(_exactly(stdin, length))
    return order


def _exactly(stdin: RawIOBase, length: int) -> bytes:
    content = b""
    while len(content) < length:
        piece = stdin.read(length - len(content))
        if not piece:
            raise EOFError("the supervisor has ended")
        content += piece
    return content


def _unpickled(content: bytes) -> Any:
    return pickle.loads(content)  # noqa: S301 - from the parent process, over a pipe of its own


async def _work(settings: Settings, place: Place, stdin: RawIOBase) -> None:
    orders = run.Orders()
    _follow_signals(orders)
    tracing = run.tracing_of(os.environ)
    gateway = await Gateway.open(settings, place=place, tracing=tracing)
    gateway.tasks.launch(_obey(stdin, gateway, orders), name="orders")
    log.info("worker_listening")
    while not orders.stop:
        await orders.wait(_LOOK_SECONDS)
    await gateway.close(orders.hurry)


def _follow_signals(orders: run.Orders) -> None:
    """A service manager may signal all processes beside the supervisor's order: that is one stop,
    not the second one that means hurry."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, orders.order_stop, False)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


async def _obey(stdin: RawIOBase, gateway: Gateway, orders: run.Orders) -> None:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, stdin)
    try:
        while True:
            (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
            order = _unpickled(await reader.readexactly(length))
            if order == "stop":
                orders.order_stop()
            elif not run.taken_over(gateway.reload, order):
                run.count_reload(gateway.metrics, "failure")
    except asyncio.IncompleteReadError:
        orders.order_stop(False)
    finally:
        transport.close()


if __name__ == "__main__":
    main()

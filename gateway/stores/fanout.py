"""Messages within one process, for the stores that no other process shares."""

import asyncio
from collections.abc import AsyncGenerator

from gateway.stores.contract import MAY_HAVE_MISSED

BACKLOG = 10_000


class Fanout:
    """Subscriptions by channel. One that does not read loses its backlog, and is told so."""

    def __init__(self, backlog: int = BACKLOG) -> None:
        self._backlog = backlog
        self._queues: dict[str, set[asyncio.Queue[bytes | None]]] = {}

    def publish(self, channel: str, message: bytes) -> None:
        for queue in self._queues.get(channel, ()):
            if queue.qsize() >= self._backlog:
                _empty(queue)
                queue.put_nowait(MAY_HAVE_MISSED)
            queue.put_nowait(message)

    async def subscribe(self, channel: str) -> AsyncGenerator[bytes, None]:
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        queues = self._queues.setdefault(channel, set())
        queues.add(queue)
        try:
            yield MAY_HAVE_MISSED
            while (message := await queue.get()) is not None:
                yield message
        finally:
            queues.discard(queue)
            if not queues:
                self._queues.pop(channel, None)

    def close(self) -> None:
        for queues in self._queues.values():
            for queue in queues:
                queue.put_nowait(None)


def _empty(queue: asyncio.Queue[bytes | None]) -> None:
    while not queue.empty():
        queue.get_nowait()

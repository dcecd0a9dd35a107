"""Reads one URL at a steady rate, in a process of its own, by requests that are written by hand:
what a client costs is not to be taken from those who are watched.

Run as ``readers.py PORT PATH RATE CONNECTIONS``, with a token on the first line of standard input.
When that input ends, the tally is printed as JSON: answers by second, and what went wrong.
"""

import asyncio
import json
import re
import sys
from collections import Counter
from functools import partial

TICK_SECONDS = 0.01
LAST_ANSWERS_SECONDS = 15.0
LENGTH = re.compile(rb"^Content-Length: (\d+)\r?$", re.MULTILINE | re.IGNORECASE)


class Tally:
    def __init__(self) -> None:
        self.by_second = Counter[int]()
        self.wrong = Counter[str]()
        self.body: bytes | None = None

    def count(self, head: bytes, body: bytes) -> None:
        """All answers have to be the same, as those of a property that nobody changes are."""
        self.body = self.body or body
        if head.startswith(b"HTTP/1.1 200 ") and body == self.body:
            self.by_second[int(asyncio.get_running_loop().time())] += 1
        else:
            self.wrong[(head + b"\n" + body).decode()] += 1


class Connection(asyncio.Protocol):
    """A kept connection, which is asked for one thing at a time."""

    def __init__(self, tally: Tally) -> None:
        self.is_asked = False
        self.closed = asyncio.Event()
        self._tally = tally
        self._answer = b""

    @property
    def is_free(self) -> bool:
        return not self.is_asked and not self.closed.is_set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, request: bytes) -> None:
        self.is_asked = True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, ended, body = self._answer.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not ended or length is None or len(body) < int(length[1]):
            return
        self._tally.count(head, body)
        self.is_asked, self._answer = False, b""
        if b"\r\nConnection: close" in head:
            self._transport.close()
            self.closed.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.closed.set()
        if self.is_asked:
            self._tally.wrong[f"connection lost: {error!r} {self._answer!r}"] += 1
            self.is_asked = False


class Readers:
    def __init__(self, port: int, request: bytes, tally: Tally) -> None:
        self._port, self._request, self._tally = port, request, tally
        self._connections = set[Connection]()

    async def keep_connected(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            make = partial(Connection, self._tally)
            _, connection = await loop.create_connection(make, "127.0.0.1", self._port)
            self._connections.add(connection)
            await connection.closed.wait()
            self._connections.discard(connection)

    async def ask(self, rate: int) -> None:
        """What finds no free connection is not made up for later."""
        loop = asyncio.get_running_loop()
        began, asked = loop.time(), 0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            due = int((loop.time() - began) * rate)
            free = [connection for connection in self._connections if connection.is_free]
            for connection in free[: due - asked]:
                connection.ask(self._request)
            asked = due

    async def end(self) -> None:
        async with asyncio.timeout(LAST_ANSWERS_SECONDS):
            while any(connection.is_asked for connection in self._connections):  # noqa: ASYNC110
                await asyncio.sleep(TICK_SECONDS)


async def main(port: int, path: str, rate: int, connections: int) -> None:
    loop = asyncio.get_running_loop()
    token = (await loop.run_in_executor(None, sys.stdin.readline)).strip()
    head = f"GET {path} HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: Bearer {token}\r\n\r\n"
    tally = Tally()
    readers = Readers(port, head.encode(), tally)
    kept = [loop.create_task(readers.keep_connected()) for _ in range(connections)]
    asking = loop.create_task(readers.ask(rate))
    await loop.run_in_executor(None, sys.stdin.read)
    asking.cancel()
    await readers.end()
    failed = [str(task.exception()) for task in kept if task.done()]
    tally.wrong.update(f"cannot connect: {reason}" for reason in failed)
    for task in kept:
        task.cancel()
    seconds = range(min(tally.by_second), max(tally.by_second) + 1)
    by_second = [tally.by_second[second] for second in seconds]
    print(json.dumps({"by_second": by_second, "wrong": tally.wrong}))


if __name__ == "__main__":
    port, path, rate, connections = sys.argv[1:]
    asyncio.run(main(int(port), path, int(rate), int(connections)))

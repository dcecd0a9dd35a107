"""A scripted server in OL Connect's place, for answers that no sound server would give."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
TOKEN = "peer-token-1"
_LOGIN = f"HTTP/1.1 200 OK\r\nContent-Length: {len(TOKEN)}\r\n\r\n{TOKEN}".encode()


@dataclass
class Asked:
    """One request as it came; ``body`` grows while it is read."""

    head: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    body: bytes = b""
    complete: bool = False
    lines: list[tuple[str, str]] = field(default_factory=list)

    @property
    def first(self) -> str:
        return self.head.split(b"\r\n")[0].decode("latin-1")

    @property
    def target(self) -> str:
        return self.first.split(" ")[1]

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.lines if known.lower() == name.lower()]

    async def read_body(self) -> bytes:
        """The whole body, however it is framed. A body that breaks off raises."""
        if self.all("Transfer-Encoding"):
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                self.body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readuntil(b"\r\n")
        elif self.all("Content-Length"):
            self.body = await self.reader.readexactly(int(self.all("Content-Length")[0]))
        self.complete = True
        return self.body


Script = Callable[[Asked], Awaitable[None]]


def said(*lines: str, body: bytes = b"", status: str = "200 OK") -> bytes:
    """An answer's bytes, exactly as these lines have it."""
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1") + body


def saying(answer: bytes, *, close: bool = False) -> Script:
    """Read the request whole, send these bytes, and close or keep the connection."""

    async def script(asked: Asked) -> None:
        await asked.read_body()
        bodiless = asked.first.startswith("HEAD ")
        asked.writer.write(answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if bodiless else answer)
        await asked.writer.drain()
        if close:
            asked.writer.close()

    return script


class Peer:
    """``script`` answers everything but logins. ``asked`` keeps all but those, in order."""

    def __init__(self) -> None:
        self.script: Script = saying(OK)
        self.asked: list[Asked] = []
        self.login = _LOGIN
        self.logins = 0
        self.connections = 0
        self.url = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while not writer.is_closing():
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked = Asked(head, reader, writer)
        for line in head.decode("latin-1").split("\r\n")[1:-2]:
            name, _, value = line.partition(":")
            asked.lines.append((name, value.strip()))
        if asked.target.endswith("/authentication/login"):
            self.logins += 1
            writer.write(self.login)
            return
        self.asked.append(asked)
        await self.script(asked)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def open_peer() -> AsyncIterator[Peer]:
    peer = Peer()
    server = await asyncio.start_server(peer._serve, "127.0.0.1", 0, limit=1 << 20)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
    finally:
        server.close()
        await asyncio.sleep(0)  # what was accepted in this turn of the loop is told of in the next
        await peer.stop()

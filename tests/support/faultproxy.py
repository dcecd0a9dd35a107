"""A TCP proxy on loopback that does to connections what networks and dying servers do to them."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from gateway.tasks import TaskSet
from tests.support.ports import free_port

_PIECE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Fault:
    """What happens to bytes. Of answers, unless it says otherwise; changes act at once."""

    latency_seconds: float = 0.0  # before every piece, both ways
    slice_bytes: int = _PIECE_BYTES  # the largest piece that is passed on at a time
    bytes_per_second: float = 0.0  # 0: as fast as can be
    cut_after_bytes: int | None = None  # of one connection's answers; then its end
    cut_requests_after_bytes: int | None = None
    resets: bool = False  # by a reset, rather than by an orderly end
    black_hole: bool = False  # both ways: read, and dropped
    half_open: bool = False  # the server's end of a connection is not passed on
    reset_at_once: bool = False  # new connections


NONE = Fault()


class FaultProxy:
    """``target`` is a port on loopback, which may be set late. ``port`` stays the same."""

    def __init__(self) -> None:
        self.target = 0
        self.fault = NONE
        self.port = free_port()
        self.accepted = 0
        self.from_server = 0
        self._tasks = TaskSet()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        return len(self._writers)

    async def listen(self) -> None:
        """Again, after ``refuse``."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    def refuse(self) -> None:
        """No new connections, and the end of those that are."""
        assert self._server is not None
        self._server.close()
        self.reset()

    def reset(self, most: int | None = None) -> None:
        """All connections, or so many of them."""
        for writer in list(self._writers)[:most]:
            _reset(writer)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        await asyncio.sleep(0)  # what was accepted in this turn of the loop is told of in the next
        self.reset()
        await self._tasks.cancel()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        # Here, since a task that is cancelled before its first step does nothing.
        self._writers.add(writer)
        self._tasks.launch(self._serve(reader, writer), name="proxied")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server: asyncio.StreamWriter | None = None
        try:
            if self.fault.reset_at_once:
                return _reset(writer)
            answers, server = await asyncio.open_connection("127.0.0.1", self.target)
            await asyncio.gather(
                self._pass_on(reader, server, answers=False),
                self._pass_on(answers, writer, answers=True),
            )
        except OSError:
            pass  # one side has gone, and takes the other along
        finally:
            self._writers.discard(writer)
            writer.close()
            if server is not None:
                server.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        passed = 0
        while True:
            piece = await reader.read(max(1, self.fault.slice_bytes))
            fault = self.fault
            if not piece:
                if answers and fault.half_open:
                    await asyncio.Event().wait()
                raise ConnectionResetError("the end")
            if fault.latency_seconds:
                await asyncio.sleep(fault.latency_seconds)
            if fault.black_hole:
                continue
            limit = fault.cut_after_bytes if answers else fault.cut_requests_after_bytes
            if limit is not None and passed + len(piece) >= limit:
                await self._cut(writer, piece[: max(0, limit - passed)], answers=answers)
            writer.write(piece)
            await writer.drain()
            passed += len(piece)
            if answers:
                self.from_server += len(piece)
            if fault.bytes_per_second:
                await asyncio.sleep(len(piece) / fault.bytes_per_second)
            elif fault.slice_bytes < _PIECE_BYTES:
                await asyncio.sleep(0)

    async def _cut(self, writer: asyncio.StreamWriter, last: bytes, *, answers: bool) -> None:
        writer.write(last)
        await writer.drain()
        if answers and self.fault.resets:
            _reset(writer)
        raise ConnectionResetError("cut off")


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST in place of FIN."""
    endpoint: socket.socket | None = writer.get_extra_info("socket")
    if endpoint is not None:
        # asyncio's wrapper has setsockopt, its type stub does not say so.
        wrapped: Any = endpoint
        with suppress(OSError):  # it has ended by itself
            wrapped.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport: Any = writer.transport
    transport.abort()


@asynccontextmanager
async def fault_proxy() -> AsyncIterator[FaultProxy]:
    proxy = FaultProxy()
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.close()

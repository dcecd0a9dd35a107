"""Bodies under way: who leaves, who dawdles, what breaks off (pitfalls P13 to P19, P26, P29)."""

import asyncio
import hashlib
import resource
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import suppress
from time import monotonic

import pytest

from tests.support.peer import Asked, Peer
from tests.support.stage import CONFIG, Stage, TestCaller
from tests.support.wire import dial, head

P = "/rest/serverengine"
UPLOAD = f"{P}/filestore/DataFile?filename=a"
FILE = f"{P}/filestore/file/7"
MIB = 1024 * 1024
_PATIENCE_SECONDS = 20.0


async def _until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - it looks from outside
            await asyncio.sleep(0.005)


async def test_a_caller_who_leaves_while_uploading_leaves_no_short_file(
    peered: Stage, peer: Peer
) -> None:
    """Attacks 22: the upload is broken off upstream, too, not ended."""
    broken = asyncio.Event()

    async def script(asked: Asked) -> None:
        try:
            await asked.read_body()
        except (asyncio.IncompleteReadError, ConnectionError):
            broken.set()
            raise

    peer.script = script
    token = peered.token("ol-operators")
    for framing in ("Content-Length: 1000000", "Transfer-Encoding: chunked"):
        broken.clear()
        async with dial(peered.gateway.public.port) as wire:
            await wire.send(head("POST", UPLOAD, framing, token=token))
            await wire.send(b"3e8\r\n" + b"a" * 1000 + b"\r\n")
            await _until(lambda: peer.asked)
            wire.reset()
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await broken.wait()
        assert not peer.asked[-1].complete
        peer.asked.clear()


@pytest.mark.parametrize("waiting", [True, False], ids=["before the head", "in the body"])
async def test_a_caller_who_leaves_frees_ol_connect(
    peered: Stage, peer: Peer, waiting: bool
) -> None:
    """Pitfall P13: without cancellation the gateway would go on waiting for nobody."""
    freed = asyncio.Event()

    async def script(asked: Asked) -> None:
        if not waiting:
            asked.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n" + b"a" * 999)
        while not asked.writer.is_closing() and not asked.reader.at_eof():
            if not waiting:
                asked.writer.write(b"a" * 65536)
                await asked.writer.drain()
            await asyncio.sleep(0.005)
        freed.set()

    peer.script = script
    async with dial(peered.gateway.public.port) as wire:
        await wire.send(head("GET", FILE, token=peered.token("ol-operators")))
        await _until(lambda: peer.asked)
        if not waiting:
            assert await wire.reader.read(100)
        wire.reset()
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await freed.wait()
    samples = peered.gateway.metrics.registry
    await _until(lambda: samples.get_sample_value("olgw_requests_in_flight") == 0)
    labels = {
        "endpoint": "file_store.download_managed_file",
        "method": "GET",
        "code": "499",
        "source": "gateway" if waiting else "upstream",
    }
    assert samples.get_sample_value("olgw_requests_total", labels) == 1


async def test_a_head_that_dawdles_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pitfall P26, slowloris: the time for a head is bounded whether bytes come or not."""
    monkeypatch.setattr("gateway.server._KEEPALIVE_SECONDS", 0.2)
    async with Stage() as stage, dial(stage.gateway.public.port) as wire:
        # Its end may be met while reading or, at a busy moment, while writing.
        with suppress(ConnectionError):
            for letter in b"GET /rest/serverengine/entity/version HTTP/1.1\r\nAccept: text/plain":
                await wire.send(bytes([letter]))
                await asyncio.sleep(0.01)
                if wire.reader.at_eof():
                    break
            assert wire.reader.at_eof()


async def test_an_idle_connection_is_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pitfall P25: aiohttp would keep it for an hour."""
    monkeypatch.setattr("gateway.server._KEEPALIVE_SECONDS", 0.2)
    async with Stage() as stage, dial(stage.gateway.public.port) as wire:
        # A machine that stands still makes the pause in between long enough as well.
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            for _ in range(2):
                await wire.send(head("GET", "/docs"))
                assert (await wire.answer()).status == 200
        assert await wire.rest() == b""


@pytest.mark.parametrize("path", [UPLOAD, f"{P}/entity/find"], ids=["streamed", "read"])
async def test_a_body_that_dawdles_is_given_up(
    monkeypatch: pytest.MonkeyPatch, stage: Stage, path: str
) -> None:
    """Pitfall P26: aiohttp itself never cuts a slow body."""
    monkeypatch.setattr("gateway.bodies._IDLE_SECONDS", 0.1)
    method = "PUT" if path.endswith("find") else "POST"
    async with dial(stage.gateway.public.port) as wire:
        length = "Content-Length: 1000"
        await wire.send(head(method, path, length, token=stage.token("ol-operators")), b"{")
        answer = await wire.answer()
        assert (answer.status, answer.code) == (400, "malformed_request")
    assert {entry.status for entry in stage.requests()} <= {0}


async def test_a_slow_upload_is_not_taken_for_a_slow_upstream(peer: Peer) -> None:
    """The read timeout counts from the end of what is sent."""
    config = CONFIG.replace("{upstream}", peer.url).replace("read_timeout: 15s", "read_timeout: 1s")
    async with Stage(config=config) as stage, dial(stage.gateway.public.port) as wire:
        await wire.send(
            head("POST", UPLOAD, "Content-Length: 6", token=stage.token("ol-operators"))
        )
        for _ in range(5):
            await asyncio.sleep(0.2)
            await wire.send(b"a")
        await asyncio.sleep(0.2)
        ended = monotonic()
        await wire.send(b"a")
        answer = await wire.answer()
        # On a machine that stood still OL Connect may really have been slow.
        assert answer.status == 200 or monotonic() - ended >= 1.0
    assert peer.asked[0].body == b"aaaaaa"


async def test_an_upload_that_has_not_really_begun_takes_no_connection(
    peered: Stage, peer: Peer
) -> None:
    """However many such callers there are, OL Connect's connections are for those who send."""
    async with dial(peered.gateway.public.port) as wire:
        token = peered.token("ol-operators")
        await wire.send(head("POST", UPLOAD, "Content-Length: 600", token=token), b"a" * 100)
        await asyncio.sleep(0.1)
        assert peer.connections == 0
        await wire.send(b"a" * 500)
        assert (await wire.answer()).status == 200
    assert peer.asked[0].body == b"a" * 600


async def test_a_reader_who_takes_nothing_is_broken_off(
    monkeypatch: pytest.MonkeyPatch, stage: Stage
) -> None:
    """A slow reader must not hold one of OL Connect's connections for ever."""
    monkeypatch.setattr("gateway.relay._SLOW_READER_SECONDS", 0.2)
    number = stage.simulator.engine.add_zero_file("zeros.bin", 64 * MIB).id
    registry = stage.gateway.metrics.registry
    async with dial(stage.gateway.public.port) as wire:
        target = f"{P}/filestore/file/{number}"
        await wire.send(head("GET", target, token=stage.token("ol-operators")))
        await _until(lambda: registry.get_sample_value("olgw_requests_in_flight") == 1)
        await _until(lambda: registry.get_sample_value("olgw_requests_in_flight") == 0)
        received = await wire.rest()
    assert len(received) < 64 * MIB


async def test_a_reader_who_takes_nothing_of_the_last_piece_is_broken_off(
    monkeypatch: pytest.MonkeyPatch, peered: Stage, peer: Peer
) -> None:
    monkeypatch.setattr("gateway.relay._SLOW_READER_SECONDS", 0.2)

    async def script(asked: Asked) -> None:
        asked.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"100000\r\n" + bytes(MIB) + b"\r\n"
        asked.writer.write(piece * 16 + b"0\r\n\r\n")
        await asked.writer.drain()

    peer.script = script
    registry = peered.gateway.metrics.registry
    async with dial(peered.gateway.public.port) as wire:
        await wire.send(head("GET", FILE, token=peered.token("ol-operators")))
        await _until(lambda: registry.get_sample_value("olgw_requests_in_flight") == 1)
        await _until(lambda: registry.get_sample_value("olgw_requests_in_flight") == 0)


class _Zeros:
    """Zero bytes to send, made as they are wanted."""

    def __init__(self, size: int) -> None:
        self.size = size

    async def __aiter__(self):  # type: ignore[no-untyped-def]
        for _ in range(self.size // 65536):
            yield bytes(65536)


async def _pieces(stage: Stage, caller: TestCaller, number: int) -> AsyncIterator[bytes]:
    headers = {"Authorization": f"Bearer {caller.token}"}
    async with stage.session.get(
        f"{stage.url}{P}/filestore/file/{number}", headers=headers
    ) as response:
        assert response.status == 200
        async for piece in response.content.iter_any():
            yield piece


async def _download(stage: Stage, caller: TestCaller, number: int) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    async for piece in _pieces(stage, caller, number):
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


async def _download_size(stage: Stage, caller: TestCaller, number: int) -> int:
    return sum([len(piece) async for piece in _pieces(stage, caller, number)])


async def test_64_mib_pass_both_ways_without_being_held(stage: Stage) -> None:
    """Bodies are streamed: what is held at once stays small. The peak is that of all four parts
    in this process: caller, gateway, simulator and the issuer."""
    size = 64 * MIB
    stage.simulator.change(keep_upload_bytes=0)
    caller = stage.caller("ol-operators")
    number = stage.simulator.engine.add_zero_file("zeros.bin", size).id
    assert (await caller.get("/entity/version")).status == 200
    tracemalloc.start()
    try:
        downloaded = await _download(stage, caller, number)
        reply = await caller.post("/filestore/DataFile?filename=z", data=_Zeros(size))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert downloaded == (size, hashlib.sha256(bytes(size)).hexdigest())
    assert reply.status == 200
    assert stage.requests("DataFile")[0].body_size == size
    assert peak < 16 * MIB


async def test_100_results_of_10_mib_at_once_are_not_held() -> None:
    # Nobody queues for a connection: how long the others take is the machine's affair.
    replace = {"read_timeout: 15s": "read_timeout: 60s, max_connections: 200"}
    async with Stage(replace=replace) as stage:
        number = stage.simulator.engine.add_zero_file("zeros.bin", 10 * MIB).id
        caller = stage.caller("ol-operators")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        tasks = (_download_size(stage, caller, number) for _ in range(100))
        assert set(await asyncio.gather(*tasks)) == {10 * MIB}
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 300 * 1024


async def test_a_problem_after_the_head_is_not_written_into_the_body(
    peered: Stage, peer: Peer
) -> None:
    """Pitfall P14."""
    begun = asyncio.Event()

    async def script(asked: Asked) -> None:
        asked.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await begun.wait()
        asked.writer.write(b"this is no chunk\r\n\r\n")
        asked.writer.close()

    peer.script = script
    async with dial(peered.gateway.public.port) as wire:
        await wire.send(head("GET", FILE, token=peered.token("ol-operators")))
        received = await wire.reader.readuntil(b"hello")
        begun.set()
        received += await wire.rest()
    assert received.count(b"HTTP/1.1") == 1
    assert b"upstream_" not in received
    assert not received.endswith(b"0\r\n\r\n")
    labels = {"endpoint": "file_store.download_managed_file"}
    problem = labels | {"problem": "upstream_invalid_response"}
    registry = peered.gateway.metrics.registry
    await _until(lambda: registry.get_sample_value("olgw_problems_total", problem) == 1)
    assert (registry.get_sample_value("olgw_response_body_bytes_total", labels) or 0) <= 5


async def test_nothing_is_compressed_on_the_way(peered: Stage, peer: Peer) -> None:
    """Pitfall P29."""

    async def script(asked: Asked) -> None:
        asked.writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 70000\r\n\r\n"
        )
        asked.writer.write(b"a" * 70000)

    peer.script = script
    reply = await peered.caller("ol-operators").get(
        "/filestore/file/7", headers={"Accept-Encoding": "gzip"}
    )
    assert "Content-Encoding" not in reply.headers
    assert reply.headers["Content-Length"] == "70000"

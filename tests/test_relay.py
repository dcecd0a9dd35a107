"""Bodies on their way to the caller: whole where they are small, never longer or shorter."""

import pytest

from tests.support.peer import open_peer, saying
from tests.support.stage import CONFIG, Stage


def _said(size: int, *, chunked: bool) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
    if chunked:
        piece = b"%x\r\n" % size + bytes(size) + b"\r\n" if size else b""
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + piece + b"0\r\n\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % size + bytes(size)


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 3_000_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_every_size_arrives_whole_and_framed_as_it_was(size: int, chunked: bool) -> None:
    async with open_peer() as peer:
        peer.script = saying(_said(size, chunked=chunked))
        async with Stage(config=CONFIG.replace("{upstream}", peer.url)) as stage:
            reply = await stage.caller("ol-operators").get("/filestore/file/7")
            labels = {"endpoint": "file_store.download_managed_file"}
            registry = stage.gateway.metrics.registry
            counted = registry.get_sample_value("olgw_response_body_bytes_total", labels)
    assert reply.body == bytes(size)
    assert reply.headers["Content-Type"] == "application/octet-stream"
    assert ("Content-Length" in reply.headers) is not chunked
    assert (counted or 0) == size


async def test_a_body_that_ends_with_its_connection_is_passed_on() -> None:
    """HTTP/1.0 servers frame so; nothing then tells an end from a break."""
    async with open_peer() as peer:
        peer.script = saying(b"HTTP/1.0 200 OK\r\n\r\nabc", close=True)
        async with Stage(config=CONFIG.replace("{upstream}", peer.url)) as stage:
            reply = await stage.caller("ol-operators").get("/filestore/file/7")
    assert reply.body == b"abc"

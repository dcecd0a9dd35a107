"""What a caller may do to its own connection, and what it must not do to the gateway."""

import asyncio
from typing import Any

from tests.express.conftest import Side
from tests.express.corpus import PLAIN
from tests.support.peer import saying
from tests.support.wire import dial, head

PROPERTIES = "/rest/serverengine/entity/jobs/1/properties"
BODY = b"[%b]" % (b" " * 60_000)
REQUESTS = 600


async def test_who_takes_no_answers_gets_no_more(sides: tuple[Side, Side]) -> None:
    """Answers pile up nowhere but in the system's buffers, which do not hold them all."""
    side = sides[0]
    side.peer.script = saying(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
    )
    request = head("GET", PROPERTIES, token=side.token("ol-operators"))
    server = side.stage.gateway.public.server
    async with dial(side.stage.gateway.public.port) as wire:
        await wire.send(request)
        assert (await wire.answer()).body == BODY
        for _ in range(REQUESTS):
            wire.writer.write(request)
            await asyncio.sleep(0.0005)  # each in a piece of its own
        (connection,) = server.connections
        assert connection.transport is not None
        assert connection.transport.get_write_buffer_size() < 1024 * 1024
        # Whoever takes them after all gets every one, whole and in order.
        for _ in range(REQUESTS):
            assert (await wire.answer()).body == BODY


async def test_who_sends_ahead_is_answered_in_order(sides: tuple[Side, Side]) -> None:
    side, token = sides[0], sides[0].token("ol-operators").encode()
    requests = [PLAIN[0][0], PLAIN[1][0], PLAIN[5][0], PLAIN[0][0]]
    async with dial(side.stage.gateway.public.port) as wire:
        for request in requests:
            wire.writer.write(request.replace(b"TOKEN", token))
            await asyncio.sleep(0)
        answers = [await wire.answer(bodiless=r.startswith(b"HEAD")) for r in requests]
    assert [answer.status for answer in answers] == [200, 401, 200, 200]


async def test_who_leaves_is_written_down(sides: tuple[Side, Side], until: Any) -> None:
    """The call to OL Connect ends with its caller, and the request is recorded."""
    side = sides[0]

    async def script(_: object) -> None:
        await asyncio.sleep(60)

    side.peer.script = script
    target = "/rest/serverengine/authentication/version"
    async with dial(side.stage.gateway.public.port) as wire:
        await wire.send(head("GET", target, token=side.token("ol-operators")))
        await until(lambda: side.peer.asked)
        wire.reset()
    await until(lambda: side.log)
    assert side.log[0]["status"] == 499
    assert not side.stage.gateway._observer._under_way


async def test_a_reload_ends_what_was_known(sides: tuple[Side, Side]) -> None:
    """A right that is taken away is gone at once, also for the bytes that came before."""
    side = sides[0]
    request = head("GET", PROPERTIES, token=side.token("ol-operators"))
    async with dial(side.stage.gateway.public.port) as wire:
        for _ in range(3):
            await wire.send(request)
            assert (await wire.answer()).status == 200
        stage = side.stage
        allowed = '    objects: any\n    allow: [{endpoints: ["*.*"]}]'
        stage.gateway.reload(
            stage.settings(**{allowed: allowed.replace("*.*", "authentication.*")})
        )
        await wire.send(request)
        assert (await wire.answer()).status == 403

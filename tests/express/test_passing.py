"""Reads that are passed on by rote: whatever OL Connect does then, callers are told the same as by
the journey."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.express.conftest import Side
from tests.support.peer import Asked, Script, said, saying
from tests.support.wire import Raw, dial, head

TARGET = "/rest/serverengine/authentication/version"
FACET = "/rest/serverengine/entity/jobs/1/properties"
VERSION = said("Content-Type: text/plain", "Content-Length: 4", body=b"2024")
OTHER = said("Content-Type: text/html", 'ETag: "x"', "OL-More: a", "Content-Length: 2", body=b"ok")


async def _silent(asked: Asked) -> None:
    asked.writer.close()


def _in_pieces(*pieces: bytes) -> Script:
    async def script(asked: Asked) -> None:
        for piece in pieces:
            asked.writer.write(piece)
            await asked.writer.drain()
            await asyncio.sleep(0.01)

    return script


def _in_turn(*scripts: Script) -> Script:
    """The last one for all that come after."""
    left = list(scripts)

    async def script(asked: Asked) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(asked)

    return script


@dataclass(frozen=True)
class Case:
    """``asked``: how often OL Connect is asked, without and with the express lane."""

    script: Callable[[], Script]
    status: int
    asked: tuple[int, int] = (1, 1)


def _says(answer: bytes, *, close: bool = False) -> Callable[[], Script]:
    return lambda: saying(answer, close=close)


CASES = {
    "the same": Case(_says(VERSION), 200),
    "another": Case(_says(OTHER), 200),
    "in pieces": Case(lambda: _in_pieces(OTHER[:20], OTHER[20:-1], OTHER[-1:]), 200),
    "nothing inside": Case(_says(said("Content-Length: 0")), 200),
    "after a hint": Case(_says(said("Link: </x>", status="103 Early Hints") + OTHER), 200),
    "the last one": Case(_says(said("Connection: close", "Content-Length: 2", body=b"ok")), 200),
    "more than asked for": Case(_says(VERSION + OTHER), 200),
    "chunked": Case(
        _says(said("Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n")), 200, (1, 2)
    ),
    "until its end": Case(_says(said("X: y", body=b"ok"), close=True), 200, (1, 2)),
    "large": Case(_says(said("Content-Length: 99999", body=b"a" * 99_999)), 200, (1, 2)),
    "not found": Case(_says(said("Content-Length: 0", status="404 Not")), 404, (1, 2)),
    "no content": Case(_says(said(status="204 None")), 204, (1, 2)),
    "failing": Case(_says(said("Content-Length: 2", body=b"no", status="500 Oh")), 500, (1, 2)),
    "away": Case(_says(said("Content-Length: 0", status="503 Away")), 503, (1, 2)),
    "refusing": Case(_says(said("Content-Length: 0", status="401 Who")), 502, (1, 2)),
    "an old connection": Case(lambda: _in_turn(_silent, saying(OTHER)), 200, (2, 2)),
    "no connection lasts": Case(lambda: _silent, 502, (2, 2)),
    "no HTTP": Case(_says(b"SMTP ready\r\n\r\n"), 502),
    "no status": Case(_says(said("Content-Length: 0", status="099 Odd")), 502, (1, 2)),
    "another protocol": Case(_says(said("Upgrade: x", status="101 Other")), 502, (1, 2)),
    "a broken line": Case(_says(said("OL-More: a\0b", "Content-Length: 0")), 502),
    "cut off": Case(_says(said("Content-Length: 9", body=b"ok"), close=True), 502),
    "two lengths": Case(_says(said("Content-Length: 1", "Content-Length: 2", body=b"ok")), 502),
}


async def _learnt(side: Side, target: str = TARGET) -> bytes:
    """A request that the first side will pass on by rote from now on."""
    side.peer.script = saying(VERSION)
    request = head("GET", target, token=side.token("ol-operators"))
    async with dial(side.stage.gateway.public.port) as wire:
        for _ in range(2):
            await wire.send(request)
            assert (await wire.answer()).status == 200
    side.peer.asked.clear()
    side.log.clear()
    return request


async def _asked_again(side: Side, script: Script) -> tuple[bytes, bytes, list[Any], int]:
    request = await _learnt(side)
    side.peer.script = script
    async with dial(side.stage.gateway.public.port) as wire:
        await wire.send(request)
        answer = await wire.answer()
    logged = [
        {name: line[name] for name in ("endpoint", "status", "source", "problem", "bytes_out")}
        for line in side.log
    ]
    return side.plain(answer.head), side.plain(answer.body), logged, len(side.peer.asked)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_the_answer_is_the_journeys(sides: tuple[Side, Side], case: Case) -> None:
    express, ordinary = [await _asked_again(side, case.script()) for side in sides]
    assert express[:3] == ordinary[:3]
    assert express[2][0]["status"] == case.status
    assert (ordinary[3], express[3]) == case.asked


def _at(boundary: int) -> Script:
    return _in_pieces(VERSION[:boundary], VERSION[boundary:])


def _cache_nothing(side: Side) -> None:
    store = 'store: "memory:"'
    changed = {store: f"{store}\ncache: {{properties: {{ttl: 0s}}}}"}
    side.stage.gateway.reload(side.stage.settings(**changed))


@pytest.mark.parametrize("target", [TARGET, FACET])
async def test_a_head_that_is_known_by_its_bytes(sides: tuple[Side, Side], target: str) -> None:
    """It is not parsed again, so all that can come with it is tried here."""
    body = len(VERSION) - len(b"2024")
    scripts = {
        "first": saying(VERSION),
        "again": saying(VERSION),
        "another body": saying(VERSION[:body] + b"2025"),
        "the body later": _at(body),
        "half a body": _at(body + 2),
        "half a head": _at(body - 2),
        "a body too long": saying(VERSION + b"6"),
        "another answer": saying(VERSION + OTHER),
        "after a hint": saying(said("Link: </x>", status="103 Early Hints") + VERSION),
        "cut off": saying(VERSION[:-1], close=True),
        "the last": saying(VERSION, close=True),
        "and again": saying(VERSION),
    }
    told = []
    for side in sides:
        _cache_nothing(side)
        request = await _learnt(side, target)
        answers = {}
        async with dial(side.stage.gateway.public.port) as wire:
            for name, script in scripts.items():
                side.peer.script = script
                await wire.send(request)
                answer = await wire.answer()
                answers[name] = (answer.status, side.plain(answer.head), side.plain(answer.body))
        told.append(answers)
    assert told[0] == told[1]
    assert [name for name, answer in told[0].items() if answer[0] != 200] == [
        "a body too long",
        "cut off",
    ]


@pytest.mark.parametrize("target", [TARGET, FACET])
async def test_what_is_never_small_is_never_asked_for_twice(
    sides: tuple[Side, Side], target: str
) -> None:
    side = sides[0]
    _cache_nothing(side)
    answer = said("Transfer-Encoding: chunked", body=b"2\r\n[]\r\n0\r\n\r\n")
    side.peer.script = saying(answer)
    request = head("GET", target, token=side.token("ol-operators"))
    async with dial(side.stage.gateway.public.port) as wire:
        for _ in range(5):
            await wire.send(request)
            assert (await wire.answer()).body == b"[]"
    assert len(side.peer.asked) == 5


async def test_it_is_passed_on_by_rote(sides: tuple[Side, Side], monkeypatch: Any) -> None:
    """Or else there would be nothing to compare."""
    side = sides[0]
    request = await _learnt(side)
    monkeypatch.setattr(side.stage.gateway._observer, "_handler", None)
    async with dial(side.stage.gateway.public.port) as wire:
        for number in range(3):
            await wire.send(request)
            assert (await wire.answer()).body == b"2024"
            assert len(side.log) == number + 1
    first, second, _ = side.peer.asked
    assert first.all("Authorization")[0].startswith("Basic ")
    assert first.all("X-Request-Id") != second.all("X-Request-Id")
    assert first.all("traceparent")[0][3:35] == first.all("X-Request-Id")[0]


async def test_nothing_stays_behind(sides: tuple[Side, Side], until: Any) -> None:
    side = sides[0]
    gateway, request = side.stage.gateway, await _learnt(side)
    free = repr(gateway._parts.connect._gate)

    async def never(_: Asked) -> None:
        await asyncio.sleep(60)

    for script in (never, _silent, saying(VERSION)):
        side.peer.asked.clear()
        side.peer.script = script
        async with dial(gateway.public.port) as wire:
            await wire.send(request)
            await until(lambda: side.peer.asked)
            wire.reset()
        await until(lambda: not gateway._observer._under_way)
        assert repr(gateway._parts.connect._gate) == free
        assert gateway.metrics.in_flight.labels().value == 0
    assert side.log[0]["status"] == 499


async def test_what_comes_meanwhile_is_answered_next(sides: tuple[Side, Side]) -> None:
    side = sides[0]
    request = await _learnt(side)
    release = asyncio.Event()

    async def script(asked: Asked) -> None:
        await release.wait()
        asked.writer.write(VERSION)

    side.peer.script = script
    async with dial(side.stage.gateway.public.port) as wire:
        await wire.send(request)
        await asyncio.sleep(0.01)
        await wire.send(request.replace(TARGET.encode(), b"/nothing"), request)
        release.set()
        answers = [await wire.answer() for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 404, 200]


async def _refused(side: Side, request: bytes) -> Raw:
    async with dial(side.stage.gateway.public.port) as wire:
        await wire.send(request)
        answer = await wire.answer()
    assert not side.peer.asked
    return answer


async def test_rights_that_are_gone_are_gone(sides: tuple[Side, Side]) -> None:
    side, target = sides[0], "/rest/serverengine/filestore/file/8"
    request = await _learnt(side, target)
    allowed = '    objects: any\n    allow: [{endpoints: ["*.*"]}]'
    fewer = allowed.replace("*.*", "job_entity.*")
    side.stage.gateway.reload(side.stage.settings(**{allowed: fewer}))
    assert (await _refused(side, request)).status == 403


async def test_nobody_is_asked_who_does_not_answer(
    sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    side = sides[0]
    request = await _learnt(side)
    breaker = side.stage.gateway._parts.breaker
    monkeypatch.setattr(breaker, "_now", lambda: 0.0)  # its pause is a second, and does not end
    for _ in range(20):
        breaker.failed(breaker._permit)
    answer = await _refused(side, request)
    assert (answer.status, answer.code) == (503, "upstream_overloaded")


async def test_a_stop_does_not_wait_for_it(sides: tuple[Side, Side], until: Any) -> None:
    side = sides[0]
    gateway, request = side.stage.gateway, await _learnt(side)

    async def never(_: Asked) -> None:
        await asyncio.sleep(60)

    side.peer.script = never
    async with dial(gateway.public.port) as wire:
        await wire.send(request)
        await until(lambda: side.peer.asked)
        gateway._observer.expire()
        answer = await wire.answer()
    assert (answer.status, answer.code) == (503, "draining")
    assert [line["problem"] for line in side.log] == ["draining"]

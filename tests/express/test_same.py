"""With an express lane and without: the same answers, calls upstream, counts, lines and records."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.express.conftest import Side
from tests.express.corpus import HOSTILE, PLAIN, REST, Pieces, mixed
from tests.support.wire import Wire, dial

MIXED = int(os.environ.get("OLGW_EXPRESS_REQUESTS", "60"))
_SEEDS = range(4)
_PAUSE_SECONDS = 0.004
_QUIET_PAUSES = 100
_LAST = (
    f"GET {REST}/authentication/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
)
_RESET = b"(reset)"

Until = Callable[[Callable[[], object]], Awaitable[None]]


async def _answers(side: Side, pieces: Pieces, group: str) -> bytes:
    """All that comes back on one connection."""
    token = side.token(group)
    forged = token[:-8] + "AAAAAAAA"
    read = b""
    async with dial(side.stage.gateway.public.port) as wire:
        try:
            for piece in (*pieces, _LAST):
                sent = piece.replace(b"TOKEN", token.encode())
                await wire.send(sent.replace(b"FORGED", forged.encode()))
                await asyncio.sleep(_PAUSE_SECONDS)
            while data := await _next(wire):
                read += data
        except TimeoutError:
            read += b"(stays open)"
        except ConnectionError:
            read += _RESET
    return side.plain(read)


async def _next(wire: Wire) -> bytes:
    """What comes next. Raises TimeoutError when nothing does.

    Patience is counted in turns of the loop: all that could answer runs in it, too, and has had as
    many. A process that is held up for seconds has had none.
    """
    for _ in range(_QUIET_PAUSES):
        try:
            async with asyncio.timeout(_PAUSE_SECONDS):
                return await wire.reader.read(65536)
        except TimeoutError:
            continue
    raise TimeoutError


def _is_over(side: Side) -> bool:
    """What was left open has been noticed to have gone, and written down."""
    gateway = side.stage.gateway
    return not gateway.public.server.connections and not gateway._observer._under_way


async def _owned(side: Side) -> Any:
    ledger = side.stage.gateway.ledger
    return [await ledger.operations(team, limit=100) for team in ("billing", "operators")]


async def _compare(
    sides: tuple[Side, Side], corpus: list[Pieces], group: str, until: Until
) -> None:
    for pieces in corpus:
        express, ordinary = await asyncio.gather(*(_answers(side, pieces, group) for side in sides))
        await until(lambda: all(map(_is_over, sides)))
        # What a reset leaves of an answer that was sent before it is the system's to decide.
        if not (express.endswith(_RESET) or ordinary.endswith(_RESET)):
            assert express == ordinary, pieces
        assert sides[0].asked() == sides[1].asked(), pieces
        assert sides[0].logged() == sides[1].logged(), pieces
        for side in sides:
            side.peer.asked.clear()
            side.log.clear()
    assert sides[0].counted() == sides[1].counted()
    assert await _owned(sides[0]) == await _owned(sides[1])


@pytest.mark.parametrize("group", ["ol-operators", "ol-billing"])
async def test_plain_requests(sides: tuple[Side, Side], group: str, until: Until) -> None:
    await _compare(sides, PLAIN, group, until)


async def test_hostile_requests(sides: tuple[Side, Side], until: Until) -> None:
    await _compare(sides, HOSTILE, "ol-operators", until)


@pytest.mark.parametrize("seed", _SEEDS)
async def test_requests_put_together_at_random(
    sides: tuple[Side, Side], seed: int, until: Until
) -> None:
    await _compare(sides, list(mixed(MIXED, seed)), "ol-operators", until)


async def test_the_express_lane_is_used(sides: tuple[Side, Side], monkeypatch: Any) -> None:
    """Or else there would be nothing to compare."""
    taken = {"repeated": 0, "begun": 0}
    observer = sides[0].stage.gateway._observer
    repeat, begin = observer.repeat, observer.answer

    def repeated(*args: Any) -> bytes | None:
        said = repeat(*args)
        taken["repeated"] += said is not None
        return said

    def begun(request: Any) -> Any:
        taken["begun"] += request.complete is not None
        return begin(request)

    monkeypatch.setattr(observer, "repeat", repeated)
    monkeypatch.setattr(observer, "answer", begun)
    token = sides[0].token("ol-operators").encode()
    async with dial(sides[0].stage.gateway.public.port) as wire:
        for request, status in ((PLAIN[0][0], 200), (PLAIN[1][0], 401)):
            for _ in range(4):
                await wire.send(request.replace(b"TOKEN", token))
                assert (await wire.answer()).status == status
    # What comes a second time is learnt from the journey, if it is a hit or a refusal.
    assert taken == {"begun": 4, "repeated": 4}

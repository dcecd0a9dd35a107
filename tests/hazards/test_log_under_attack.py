"""However hostile a request is, it leaves one short line in the log, and no secret."""

import asyncio
import base64
import itertools
import os
import random
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from tests.hazards.hostile import MALFORMED, REFUSED, Hostile
from tests.support.apart import Apart
from tests.support.wire import dial

LOG = {"requests: none": "requests: all, level: debug", "drain_timeout: 1s": "drain_timeout: 0s"}
LINES = int(os.environ.get("OLGW_ATTACK_LINES", "100000"))
"""Of the long run."""
MOST_BYTES = 500
AT_A_TIME = 20
PIECE = 12
FAULTS = ("garbage_head", "drop_before", "error", "expire_token", "drop_mid_body")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills a process")


@pytest.fixture
async def apart(tmp_path: Path) -> AsyncIterator[Apart]:
    async with Apart(replace=LOG, folder=tmp_path) as stage:
        assert (await stage.caller().get("/entity/version")).status == 200
        yield stage


async def _attack(stage: Apart, requests: Iterable[bytes]) -> int:
    """Each on a connection of its own, whatever comes back; returns how many there were."""
    pending = iter(requests)
    sent = itertools.count()

    async def attacker() -> None:
        for request in pending:
            next(sent)
            try:
                async with dial(stage.serving.public) as wire:
                    await wire.send(request)
                    await wire.answer()
            except (asyncio.IncompleteReadError, ConnectionError):
                pass  # it closed in the middle of what was sent

    await asyncio.gather(*(attacker() for _ in range(AT_A_TIME)))
    return next(sent)


def _log(stage: Apart) -> str:
    return stage.serving.log.read_text(encoding="utf-8")


async def _logged(stage: Apart, lines: int) -> list[str]:
    """What was logged from this line on, when no more comes."""
    before, text = "", " "
    while before != text or len(text.splitlines()) <= lines:
        await asyncio.sleep(0.03)
        before, text = text, _log(stage)
    return text.splitlines()[lines:]


def _pieces(*secrets: str) -> set[str]:
    """Whoever shows half as much again of a secret shows one of these. A token's header is none."""
    texts = [part for secret in secrets for part in secret.split(".")[-2:]]
    texts += [base64.b64encode(f"robot:{secret}".encode()).decode()[8:] for secret in secrets]
    return {
        text[start : start + PIECE]
        for text in texts
        for start in range(0, max(1, len(text) - PIECE + 1), PIECE // 2)
    }


def _kept(stage: Apart, *tokens: str) -> set[str]:
    of_ol_connect = {
        value
        for request in stage.simulator.record.requests
        for name, value in request.headers
        if name.lower() == "auth_token"
    }
    assert of_ol_connect
    return _pieces(*tokens, "print-pw-and-more", "archive-pw-and-more", *of_ol_connect) | {
        "print-pw",
        "archive-pw",
    }


async def test_a_malformed_request_leaves_one_line_of_500_bytes_at_most(apart: Apart) -> None:
    token = apart.token()
    pieces = _pieces(token)
    before = len(_log(apart).splitlines())
    for name, hostile in MALFORMED.items():
        await _attack(apart, [hostile(token)])
        lines = await _logged(apart, before)
        assert len(lines) == 1, name
        assert '"event":"request"' in lines[0], name
        assert len(lines[0].encode()) < MOST_BYTES, (name, lines[0])
        assert not {piece for piece in pieces if piece in lines[0]}, name
        before += 1


def _shuffled(tokens: list[str], count: int) -> Iterable[bytes]:
    chance = random.Random(1)
    hostile: list[Hostile] = [*MALFORMED.values(), *REFUSED.values()]
    hostile += [REFUSED["a good request"]] * 10  # to meet OL Connect's troubles
    return (chance.choice(hostile)(chance.choice(tokens)) for _ in range(count))


async def _make_trouble(stage: Apart) -> None:
    for fault in itertools.cycle(FAULTS):
        stage.simulator.faults.add(fault, path="entity/version")
        await asyncio.sleep(0.05)


async def _nothing_is_found(stage: Apart, count: int) -> None:
    tokens = [stage.token(), stage.token("nobody"), stage.issuer.mint(ttl_seconds=-60)]
    tokens += [stage.issuer.mint_opaque(groups=["ol-billing"]) + "-opaque"]
    trouble = asyncio.get_running_loop().create_task(_make_trouble(stage))
    sent = await _attack(stage, _shuffled(tokens, count))
    trouble.cancel()
    await _logged(stage, sent)  # so many there are at least
    lines = await _logged(stage, 0)
    assert len(lines) > sent >= count
    text = "\n".join(lines)
    assert not [piece for piece in _kept(stage, *tokens) if piece in text]
    assert "malformed_request" in text
    assert '"problem":"upstream_' in text


async def test_no_secret_is_in_a_log_under_attack(apart: Apart) -> None:
    await _nothing_is_found(apart, 1000)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_no_secret_is_in_a_hundred_thousand_lines(apart: Apart) -> None:
    await _nothing_is_found(apart, LINES)

"""Heads that differ from known ones in their token only: each token is judged for itself."""

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.model import Kind, Thing
from tests.express.conftest import Side
from tests.support.wire import Raw, dial, head

VERSION = "/rest/serverengine/authentication/version"
FACET = "/rest/serverengine/entity/jobs/1/properties"
UNCACHED = {'store: "memory:"': 'store: "memory:"\ncache: {properties: {ttl: 0s}}'}


def _good(side: Side, *groups: str, **claims: Any) -> bytes:
    return side.stage.token(*(groups or ("ol-billing",)), **claims).encode()


def _tokens(side: Side) -> dict[str, bytes]:
    """What stands behind ``Bearer``, up to the end of the head's last line but one."""
    good, again = _good(side), _good(side)
    return {
        **{f"billing {number}": _good(side, subject=f"b{number}") for number in range(4)},
        "billing, and another group": _good(side, "others", "ol-billing"),
        "another team": _good(side, "ol-marketing"),
        "operators": _good(side, "ol-operators"),
        "operators again": _good(side, "ol-operators"),
        "operators once more": _good(side, "ol-operators"),
        "two teams": _good(side, "ol-billing", "ol-operators"),
        "of few rights": _good(side, "ol-readers"),
        "of no team": _good(side, "nobody"),
        "good": good,
        "the same": good,
        "signed with another algorithm": _good(side, algorithm="ES256"),
        "expired": _good(side, ttl_seconds=-3600),
        "of no end": _good(side, exp=None),
        "for another": _good(side, aud="other"),
        "of another issuer": _good(side, iss="http://elsewhere.test"),
        "to refresh": _good(side, typ="Refresh"),
        "of no subject": _good(side, sub=None),
        "of an unknown key": _good(side, header={"kid": "other"}),
        "critical": _good(side, header={"crit": ["exp"], "exp": 1}),
        "forged": again[:-8] + b"AAAAAAAA",
        "forged in the same way": again[:-8] + b"AAAAAAAA",
        "forged in another": again[:-8] + b"BBBBBBBB",
        "unsigned": again.rpartition(b".")[0] + b".",
        "no token": b"x",
        "a digit": b"1",
        "empty": b"",
        "in two parts": again + b" " + good,
        "in a list": again + b"," + good,
        "spaced": b"  " + again + b" ",
        "beyond ASCII": again + b"\xff",
        "too long": b"a" * 8000,
        "sent along": again + b"\r\nauth_token: " + again,
        "beside another": again + b"\r\nauth_token: " + good,
        "twice": again + b"\r\nAuthorization: Bearer " + good,
        "for a team": again + b"\r\nOL-Team: billing",
        "for a team of others": again + b"\r\nOL-Team: operators",
        "and good": _good(side, subject="last"),
    }


async def _answer(side: Side, request: bytes) -> Raw:
    async with dial(side.stage.gateway.public.port) as wire:
        await wire.send(request)
        return await wire.answer()


def _request(target: str, token: bytes) -> bytes:
    return head("GET", target, "X-More: y", token="TOKEN").replace(b"TOKEN", token)


async def _told(side: Side, target: str, tokens: Mapping[str, bytes]) -> dict[str, Any]:
    await side.stage.gateway.ledger.learn("billing", [Thing(Kind.JOB, "1")])
    told = {}
    for name, token in tokens.items():
        answer = await _answer(side, _request(target, token))
        told[name] = (answer.status, side.plain(answer.head), side.plain(answer.body))
    return told


@pytest.mark.parametrize(
    ("target", "changes"), [(VERSION, {}), (FACET, {}), (FACET, UNCACHED)], ids=lambda value: ""
)
async def test_each_is_told_what_the_journey_would_tell(
    sides: tuple[Side, Side], target: str, changes: dict[str, str]
) -> None:
    told = []
    for side in sides:
        side.stage.gateway.reload(side.stage.settings(**changes))
        told.append(await _told(side, target, _tokens(side)))
    for name in told[0]:
        assert told[0][name] == told[1][name], name
    statuses = {name: answer[0] for name, answer in told[0].items()}
    assert statuses["billing 3"] == statuses["and good"] == statuses["operators once more"] == 200
    assert statuses["expired"] == statuses["forged"] == statuses["forged in another"] == 401
    assert statuses["of no team"] == statuses["for a team of others"] == 403
    assert sides[0].asked() == sides[1].asked()
    assert sides[0].logged() == sides[1].logged()
    assert sides[0].counted() == sides[1].counted()


async def _known(side: Side, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on there is no journey for what the lane does not know."""
    for _ in range(2):
        assert (await _answer(side, _request(target, _good(side, "ol-operators")))).status == 200
    monkeypatch.setattr(side.stage.gateway._observer, "_handler", None)


@pytest.mark.parametrize("target", [VERSION, FACET])
async def test_a_third_token_needs_no_journey(
    sides: tuple[Side, Side], target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else there would be nothing to compare."""
    side = sides[0]
    await _known(side, target, monkeypatch)
    if target == FACET:  # the first was a miss, and only hits are learnt from
        monkeypatch.undo()
        await _known(side, target, monkeypatch)
    token = _good(side, "ol-operators", subject="third")
    for _ in range(2):
        assert (await _answer(side, _request(target, token))).status == 200
    assert [line["subject"] for line in side.log[-2:]] == ["third", "third"]
    assert (await _answer(side, _request(target, _good(side)))).status == 500


async def test_rights_that_are_gone_are_gone_for_new_tokens(
    sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    side = sides[0]
    await _known(side, VERSION, monkeypatch)
    monkeypatch.undo()
    group = "any_of: [ol-operators]"
    side.stage.gateway.reload(side.stage.settings(**{group: "any_of: [ol-others]"}))
    answer = await _answer(side, _request(VERSION, _good(side, "ol-operators")))
    assert (answer.status, answer.code) == (403, "no_team")

"""Who is refused, in which order, and what he is told: no more than he may know (attacks 1)."""

from typing import Any

import pytest

from tests.support.stage import Stage
from tests.support.wire import dial, head

P = "/rest/serverengine"
VERSION = f"{P}/entity/version"

CREDENTIALS = {
    "none": (),
    "empty": ("Authorization: Bearer",),
    "another scheme": ("Authorization: Digest username=a",),
    "the upstream's user": ("Authorization: Basic c3ZjLXByaW50OnByaW50LXB3",),
    "a token of the upstream's": ("auth_token: peer-token-1",),
    "in the query": (),
    "in a form": ("Content-Type: application/x-www-form-urlencoded", "Content-Length: {length}"),
    "a cookie": ("Cookie: access_token={token}",),
    "another header": ("X-Access-Token: {token}",),
    "for a proxy": ("Proxy-Authorization: Bearer {token}",),
    "twice": ("Authorization: Bearer {token}", "Authorization: Bearer {token}"),
    "two kinds": ("Authorization: Basic c3ZjOnB3", "auth_token: {token}"),
    "joined": ("Authorization: Bearer {token}, Bearer {token}",),
    "two auth_tokens": ("auth_token: {token}", "auth_token: {token}"),
    "junk": ("Authorization: Bearer a.b.c",),
    "dots": ("Authorization: Bearer " + "." * 8000,),
    "NUL and friends": ("Authorization: Bearer \xff\xfe",),
    "20 KB": ("Authorization: Bearer " + "a" * 20_000,),
}


NOTHING_SHOWN = ("none", "in the query", "in a form", "a cookie", "another header", "for a proxy")


@pytest.mark.parametrize("kind", CREDENTIALS)
async def test_whoever_shows_no_good_token_is_refused_and_hears_nothing_of_it(
    stage: Stage, kind: str
) -> None:
    token = stage.token()
    target = VERSION + (f"?access_token={token}" if kind == "in the query" else "")
    form = f"access_token={token}" if kind == "in a form" else ""
    lines = [
        line.replace("{token}", token).replace("{length}", str(len(form)))
        for line in CREDENTIALS[kind]
    ]
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head("POST" if form else "GET", target, *lines), form.encode())
        answer = await wire.answer()
    assert answer.status in (400, 401)
    assert answer.code is not None
    if answer.status == 401:
        challenge = answer.one("WWW-Authenticate") or ""
        assert challenge.startswith("Bearer ")
        assert "resource_metadata=" in challenge
        sent_nothing = kind in NOTHING_SHOWN
        if sent_nothing:
            assert answer.code == "token_missing"
            assert "error=" not in challenge
    assert token[-40:].encode() not in answer.head + answer.body
    assert b"print-pw" not in answer.body
    assert stage.requests() == []


async def test_a_token_with_hundreds_of_groups_is_let_in(stage: Stage) -> None:
    """Pitfall P7: such tokens are real, and longer than what aiohttp lets a header line be."""
    groups = ["ol-billing", *(f"a-group-of-many-{number}" for number in range(500))]
    token = stage.token(*groups)
    assert 8190 < len(token) < 16 * 1024
    for line in (f"Authorization: Bearer {token}", f"auth_token: {token}"):
        async with dial(stage.gateway.public.port) as wire:
            await wire.send(head("GET", VERSION, line))
            assert (await wire.answer()).status == 200


MEMBERSHIPS: dict[str, Any] = {
    "absent": None,
    "empty": [],
    "an empty text": "",
    "unknown": ["ol-nobody"],
    "in capitals": ["OL-BILLING"],
    "with a blank": [" ol-billing", "ol-billing "],
    "with a NUL": ["ol-billing\0", "\0ol-billing"],
    "joined": ["ol-billing,ol-operators", "ol-billing ol-operators"],
    "a joined text": "ol-billing ol-operators",
    "look-alikes": ["ol-b\u0456lling", "ol\u2010billing"],
    "fullwidth": ["\uff4f\uff4c\uff0d\uff42\uff49\uff4c\uff4c\uff49\uff4e\uff47"],
    "a star": ["*", "ol-*", ".*"],
    "a path": ["../ol-billing", "/ol-billing", "%6fl-billing"],
    "lines": ["x\r\nol-billing"],
    "numbers": [1, 0, True, None, 1.5],
    "nested": [["ol-billing"], {"ol-billing": True}],
    "an object": {"ol-billing": True},
    "a number": 1,
    "true": True,
    "the team's name": ["billing", "operators"],
    "hundreds": [f"g{number}" for number in range(800)],
}


@pytest.mark.parametrize("kind", MEMBERSHIPS)
async def test_an_odd_membership_is_none_and_leads_to_no_team(stage: Stage, kind: str) -> None:
    token = stage.issuer.mint(groups=MEMBERSHIPS[kind])
    for line in ("", "OL-Team: billing"):
        async with dial(stage.gateway.public.port) as wire:
            await wire.send(head("GET", VERSION, *([line] if line else []), token=token))
            answer = await wire.answer()
        assert (answer.status, answer.code) == (403, "no_team")
    assert stage.requests() == []


REFUSALS = (
    # what is wrong with the request, the worst first: each line adds one thing that is right
    ("GET", "/entity/jobs/..%2f", None, 400, "ambiguous_path"),
    ("GET", "/nothing/at/all", None, 401, "token_missing"),
    ("DELETE", "/entity/jobs/1/properties", None, 401, "token_missing"),
    ("GET", "/nothing/at/all", "ol-nobody", 404, "unknown_endpoint"),
    ("DELETE", "/entity/jobs/1/properties", "ol-nobody", 405, "method_not_allowed"),
    ("GET", "/entity/jobs/1/properties", "ol-nobody", 403, "no_team"),
    ("GET", "/filestore/file/1", "ol-readers", 403, "not_allowed"),
    ("GET", "/entity/jobs/999/properties", "ol-readers", 404, "not_found"),
    ("PUT", "/entity/jobs/999/properties", "ol-billing", 404, "not_found"),
)


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_refusals_come_in_the_contracts_order(
    stage: Stage, refusal: tuple[str, str, str | None, int, str]
) -> None:
    """The body of each is broken as well, which only the last in order may notice."""
    method, path, group, status, code = refusal
    token = stage.token(group) if group else None
    lines = () if method == "GET" else ("Content-Length: 9",)
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head(method, P + path, *lines, token=token), b"{{broken}" if lines else b"")
        answer = await wire.answer()
    assert (answer.status, answer.code) == (status, code)
    assert answer.one("Content-Type") == "application/json"
    assert stage.requests() == []


async def test_limits_come_after_rights_and_before_objects() -> None:
    replace = {
        'allow: [{endpoints: ["job_entity.get_*"]}]': (
            'allow: [{endpoints: ["job_entity.get_*"]}]\n'
            "    limits: {requests_per_second: 0.01, burst: 1}"
        )
    }
    async with Stage(replace=replace) as stage:
        readers = stage.caller("ol-readers")
        foreign = "/entity/jobs/999/properties"
        assert (await readers.get("/filestore/file/1")).code == "not_allowed"
        assert (await readers.get(foreign)).code == "not_found"
        limited = await readers.get(foreign)
        assert (limited.status, limited.code) == (429, "rate_limited")
        assert int(limited.headers["Retry-After"]) > 0
        assert "r=0" in limited.headers["RateLimit"]
        assert (await readers.get("/filestore/file/1")).code == "not_allowed"


@pytest.mark.parametrize("path", ["/rest/serverengine/entity/jobs/1/properties", "/api/v1/nothing"])
async def test_a_browser_may_read_problems_from_a_known_origin_only(
    stage: Stage, path: str
) -> None:
    nobody = stage.caller()
    for origin, allowed in (("http://portal.test", True), ("http://evil.test", False)):
        for token in (None, nobody.token):
            caller = type(nobody)(stage, token)
            reply = await caller.get(path, headers={"Origin": origin})
            assert reply.status in (401, 404)
            granted = reply.headers.getall("Access-Control-Allow-Origin", [])
            assert granted == ([origin] if allowed else [])
            assert "Origin" in reply.headers["Vary"]
            if allowed:
                assert "operationId" in reply.headers["Access-Control-Expose-Headers"]
                assert "Access-Control-Allow-Credentials" not in reply.headers


async def test_a_preflight_needs_no_token_and_grants_only_what_is_listed(stage: Stage) -> None:
    async def preflight(origin: str, wanted: str) -> str | None:
        asks = "Access-Control-Request-Method: PUT"
        lines = (f"Origin: {origin}", asks, f"Access-Control-Request-Headers: {wanted}")
        async with dial(stage.gateway.public.port) as wire:
            await wire.send(head("OPTIONS", f"{P}/entity/jobs/1/properties", *lines))
            answer = await wire.answer()
        assert answer.status == 204
        return answer.one("Access-Control-Allow-Origin")

    assert await preflight("http://portal.test", "auth_token, content-type") == "http://portal.test"
    assert await preflight("http://portal.test", "x-forged") is None
    assert await preflight("http://evil.test", "auth_token") is None
    assert stage.requests() == []

"""A browser may read every answer, if its origin is one of the configured ones."""

import pytest

from tests.support.stage import Reply, Stage, TestCaller

PORTAL = {"Origin": "http://portal.test"}
FOREIGN = {"Origin": "http://elsewhere.test"}
PREFLIGHT = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match"}


def _readable(reply: Reply) -> bool:
    return list(reply.headers.getall("Access-Control-Allow-Origin", [])) == [PORTAL["Origin"]]


def _shown_to_nobody(reply: Reply) -> bool:
    return not any(name.startswith("Access-Control-") for name in reply.headers)


PATHS = [
    ("/api/v1/me", 200),
    ("/api/v1/pipelines", 200),
    ("/openapi.json", 200),
    ("/docs", 200),
    ("/api/v1/jobs/999999", 404),
    ("/api/v1/nothing", 404),
    ("/entity/jobsets", 200),
    ("/entity/jobs/999999", 404),
    ("/api/v1/jobs/properties", 422),
    ("/api/v1/%2e%2e/me", 400),
]


@pytest.mark.parametrize(("path", "status"), PATHS)
async def test_every_answer_can_be_read_from_the_portal_and_from_nowhere_else(
    caller: TestCaller, path: str, status: int
) -> None:
    allowed = await caller.get(path, headers=PORTAL)
    assert (allowed.status, _readable(allowed)) == (status, True)
    exposed = allowed.headers["Access-Control-Expose-Headers"]
    assert {"ETag", "Location", "operationId", "Retry-After"} <= set(exposed.split(", "))
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    foreign = await caller.get(path, headers=FOREIGN)
    assert (foreign.status, _shown_to_nobody(foreign)) == (status, True)
    for reply in (allowed, foreign):
        assert "Origin" in reply.headers.getall("Vary")


async def test_refusals_of_strangers_can_be_read(stage: Stage) -> None:
    nobody = TestCaller(stage, None)
    for path in ("/api/v1/me", "/entity/jobsets"):
        reply = await nobody.get(path, headers=PORTAL)
        assert (reply.status, reply.code, _readable(reply)) == (401, "token_missing", True)
    reply = await stage.caller("strangers").get("/api/v1/me", headers=PORTAL)
    assert (reply.status, _readable(reply)) == (403, True)


async def test_other_methods_and_limits_too(limited_stage: Stage) -> None:
    caller = limited_stage.caller("ol-billing")
    reply = await caller("DELETE", "/api/v1/me", headers=PORTAL)
    assert (reply.status, _readable(reply)) == (405, True)
    replies = [await caller.get("/api/v1/me", headers=PORTAL) for _ in range(7)]
    assert replies[-1].code == "rate_limited"
    assert all(_readable(reply) for reply in replies)


async def test_not_modified_can_be_read(caller: TestCaller) -> None:
    path = f"/api/v1/jobs/{await caller.job()}/properties"
    tag = (await caller.get(path)).headers["ETag"]
    reply = await caller.get(path, headers={**PORTAL, "If-None-Match": tag})
    assert (reply.status, _readable(reply)) == (304, True)


async def test_a_problem_on_the_way_to_ol_connect_can_be_read(
    stage: Stage, caller: TestCaller
) -> None:
    job = await caller.job()
    stage.simulator.faults.add("error", path=f"/entity/jobs/{job}", status=500)
    reply = await caller.get(f"/api/v1/jobs/{job}", headers=PORTAL)
    assert (reply.status, _readable(reply)) == (502, True)


async def test_a_stream_can_be_read(stage: Stage, caller: TestCaller) -> None:
    stage.simulator.engine.add_zero_file("zeros.bin", 300_000)
    operator = stage.caller("ol-operators")
    reply = await operator.get("/filestore/file/zeros.bin", headers=PORTAL)
    assert (reply.status, len(reply.body), _readable(reply)) == (200, 300_000, True)


@pytest.mark.parametrize("path", ["/api/v1/jobs/1/properties", "/entity/jobs/1/properties"])
async def test_a_preflight_needs_no_token(stage: Stage, path: str) -> None:
    nobody = TestCaller(stage, None)
    reply = await nobody("OPTIONS", path, headers=PORTAL | PREFLIGHT)
    assert (reply.status, reply.body, _readable(reply)) == (204, b"", True)
    assert "PATCH" in reply.headers["Access-Control-Allow-Methods"]
    assert "If-Match" in reply.headers["Access-Control-Allow-Headers"]
    assert reply.headers["Access-Control-Max-Age"] == "600"


@pytest.mark.parametrize(
    "headers",
    [
        FOREIGN | PREFLIGHT,
        {"Origin": "null"} | PREFLIGHT,
        PORTAL | PREFLIGHT | {"Access-Control-Request-Headers": "x-secret"},
        PORTAL | PREFLIGHT | {"Access-Control-Request-Method": "TRACE"},
    ],
)
async def test_other_preflights_are_granted_nothing(stage: Stage, headers: dict[str, str]) -> None:
    reply = await TestCaller(stage, None)("OPTIONS", "/api/v1/me", headers=headers)
    assert (reply.status, _shown_to_nobody(reply)) == (204, True)

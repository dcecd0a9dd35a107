"""What callers are told of themselves."""

from tests.support.stage import Stage


async def test_me_is_the_caller_and_the_callers_teams(stage: Stage) -> None:
    caller = stage.caller("ol-billing", "ol-operators", sub="jane", email="jane@example.com")
    reply = await caller.get("/api/v1/me")
    assert (reply.status, reply.headers["Cache-Control"]) == (200, "no-store")
    me = reply.json()
    assert (me["subject"], me["issuer"]) == ("jane", stage.issuer.url)
    assert set(me) == {"subject", "issuer", "expires", "teams"}
    billing, operators = me["teams"]
    assert (billing["name"], billing["objects"]) == ("billing", "own")
    assert (operators["name"], operators["objects"]) == ("operators", "any")
    assert billing["pipelines"] == ["invoice", "flyer"]
    assert operators["pipelines"] == []
    assert billing["limits"] == {"requests": None, "runningOperations": None}
    assert "jane@example.com" not in reply.text
    assert "svc-print" not in reply.text


async def test_endpoints_are_named_one_by_one(stage: Stage) -> None:
    reply = await stage.caller("ol-readers").get("/api/v1/me")
    (team,) = reply.json()["teams"]
    assert team["endpoints"] == [
        "job_entity.get_content_items",
        "job_entity.get_job_segments",
        "job_entity.get_metadata",
        "job_entity.get_properties",
    ]


async def test_one_team_can_be_picked(stage: Stage) -> None:
    caller = stage.caller("ol-billing", "ol-operators")
    reply = await caller.get("/api/v1/me", headers={"OL-Team": "operators"})
    assert [team["name"] for team in reply.json()["teams"]] == ["operators"]


async def test_limits_left(limited_stage: Stage) -> None:
    caller = limited_stage.caller("ol-billing")
    await caller.get("/api/v1/me")
    (team,) = (await caller.get("/api/v1/me")).json()["teams"]
    assert team["limits"]["requests"] == {"perSecond": 0.001, "burst": 5, "remaining": 3}
    assert team["limits"]["runningOperations"] == {"limit": 2, "remaining": 2}


async def test_pipelines_are_those_that_may_be_run(stage: Stage) -> None:
    both = stage.caller("ol-billing", "ol-marketing")
    reply = await both.get("/api/v1/pipelines")
    assert reply.json() == {
        "pipelines": [
            {"name": "invoice", "contentType": "application/pdf", "teams": ["billing"]},
            {
                "name": "flyer",
                "contentType": "application/pdf",
                "teams": ["billing", "marketing"],
            },
        ]
    }
    reply = await stage.caller("ol-marketing").get("/api/v1/pipelines")
    assert [each["name"] for each in reply.json()["pipelines"]] == ["flyer"]
    assert (await stage.caller("ol-readers").get("/api/v1/pipelines")).json() == {"pipelines": []}


async def test_who_is_nobody_here_is_told_nothing(stage: Stage) -> None:
    for path in ("/api/v1/me", "/api/v1/pipelines"):
        reply = await stage.caller("strangers").get(path)
        assert (reply.status, reply.code) == (403, "no_team")

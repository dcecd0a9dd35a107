"""Ways to name, learn or list an object past the check, none of which may work."""

from typing import Any

import pytest

from gateway.model import Kind
from tests.support.stage import REST, Stage

NEW_RECORD = {"fields": [{"name": "ID", "value": "1"}]}


@pytest.mark.parametrize("form", ["array", "object"])
async def test_new_records_in_either_form(world: Any, form: str) -> None:
    own, foreign = (int(team.objects[Kind.DATA_SET]) for team in (world.marketing, world.billing))
    for data_set, status in ((foreign, 404), (own, 200 if form == "array" else 500)):
        entry = {"datasetid": data_set, "records": [NEW_RECORD]}
        reply = await world.marketing.caller.post(
            "/entity/datarecords", json=[entry] if form == "array" else entry
        )
        assert reply.status == status


async def test_one_foreign_id_refuses_the_whole_request(world: Any) -> None:
    own, foreign = (int(team.objects[Kind.JOB]) for team in (world.marketing, world.billing))
    body = [{"id": id_, "properties": [{"name": "n", "value": "v"}]} for id_ in (own, foreign)]
    assert (await world.marketing.caller.put("/entity/jobs/properties", json=body)).status == 404
    read = await world.marketing.caller.get(f"/entity/jobs/{own}/properties")
    assert read.json() == []


async def test_the_body_may_name_another_object_than_the_path(world: Any) -> None:
    own, foreign = (int(team.objects[Kind.JOB]) for team in (world.marketing, world.billing))
    for in_path, in_body in ((own, foreign), (foreign, own)):
        reply = await world.marketing.caller.put(
            f"/entity/jobs/{in_path}/properties", json={"id": in_body, "properties": []}
        )
        assert (reply.status, reply.code) == (404, "not_found")


STEP = {"identifier": 1, "config": "Promo-EN.OL-datamapper"}
HTML = "/workflow/contentcreation/html/letter-ol.OL-template"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/workflow/print/submit", {"jobcreation": {"config": "Invoices.OL-jobpreset"}}),
        ("/workflow/print/submit", {"jobcreation": {"identifiers": []}}),
        ("/workflow/print/submit", {"datamining": {**STEP, "identifiers": [5]}}),
        ("/workflow/print/submit", {"datamining": STEP, "Identifier": 5}),
        ("/workflow/jobcreation/Invoices.OL-jobpreset", {}),
        ("/workflow/jobcreation/Invoices.OL-jobpreset", {"data": {}}),
        ("/workflow/jobcreation/Invoices.OL-jobpreset", None),
        ("/workflow/jobcreation/default", {"identifiers": []}),
        (HTML, {"data": {"fields": {"id": "x"}}, "identifiers": [5]}),
        (HTML, {"dataRecordId": 5}),
    ],
)
async def test_a_body_that_leaves_open_what_it_names_is_refused(
    stage: Stage, path: str, body: Any
) -> None:
    caller = stage.caller()
    if isinstance(body, dict) and "datamining" in body:
        body = {**body, "datamining": {**body["datamining"], "identifier": await _file(caller)}}
    reply = await caller.post(path, json=body)
    assert (reply.status, reply.code) == (422, "invalid_parameters")


async def _file(caller: Any) -> int:
    return int(await caller.upload())


async def test_a_callers_own_data_may_call_things_as_it_likes(stage: Stage) -> None:
    data = {"schema": {"columns": {"id": "STRING"}}, "fields": {"id": "5", "identifier": "6"}}
    reply = await stage.caller().post(HTML, json={"data": data})
    assert reply.status == 200


async def test_a_nested_record_is_refused_where_nobody_checks_it(world: Any) -> None:
    own, foreign = (
        int(team.objects[Kind.DATA_RECORD]) for team in (world.marketing, world.billing)
    )
    body = {"id": own, "fields": [], "records": [{"id": foreign, "fields": []}]}
    reply = await world.marketing.caller.put(f"/entity/datarecords/{own}/values", json=body)
    assert (reply.status, reply.code) == (422, "invalid_parameters")


async def test_ids_in_a_query_may_be_repeated_encoded_or_run_together(world: Any) -> None:
    own, foreign = (team.objects[Kind.DATA_RECORD] for team in (world.marketing, world.billing))
    path = "/entity/datarecords/values"
    caller = world.marketing.caller
    assert (await caller.get(f"{path}?id={own}&id={own}")).status == 200
    for query in (f"id={own}&id={foreign}", f"id={own}&%69d={foreign}"):
        assert (await caller.get(f"{path}?{query}")).code == "not_found"
    assert (await caller.get(f"{path}?id={own};id={foreign}")).status == 400
    assert (await caller.get(f"{path}?id=0{own}")).status == 422


async def test_a_number_has_one_spelling(world: Any) -> None:
    job = world.marketing.objects[Kind.JOB]
    reply = await world.marketing.caller.get(f"/entity/jobs/00{job}/properties")
    assert (reply.status, reply.code) == (400, "ambiguous_path")


LISTS = {
    "/entity/datasets": Kind.DATA_SET,
    "/entity/contentsets": Kind.CONTENT_SET,
    "/entity/jobsets": Kind.JOB_SET,
}


@pytest.mark.parametrize("path", LISTS)
async def test_lists_show_only_the_teams_own(world: Any, path: str) -> None:
    listed = (await world.marketing.caller.get(path)).json()["identifiers"]
    assert int(world.marketing.objects[LISTS[path]]) in listed
    assert int(world.billing.objects[LISTS[path]]) not in listed
    head = await world.marketing.caller("HEAD", path)
    assert (head.status, head.headers.get("Content-Length", "0")) == (200, "0")


@pytest.mark.parametrize(
    "search", [{"operator": "AND"}, {"ruleType": "RULESET", "condition": "ALL"}]
)
async def test_search_results_are_filtered_in_both_generations(world: Any, search: Any) -> None:
    body = {"entity": "JOBS", "search": {**search, "rules": []}, "sort": [], "group": []}
    reply = await world.marketing.caller.put("/entity/find", json=body)
    found = [entry["identifier"] for group in reply.json() for entry in group]
    assert int(world.marketing.objects[Kind.JOB]) in found
    assert int(world.billing.objects[Kind.JOB]) not in found


async def test_running_operations_of_others_are_not_listed(stage: Stage) -> None:
    stage.simulator.change(operation_seconds=30)
    started = {}
    for group in ("ol-billing", "ol-marketing"):
        caller = stage.caller(group)
        path = f"/workflow/datamining/Promo-EN.OL-datamapper/{await caller.upload()}"
        started[group] = await caller.start(path)
    reply = await stage.caller("ol-billing").get("/workflow/datamining/getOperations")
    assert [entry["id"] for entry in reply.json()] == [started["ol-billing"]]
    everything = await stage.caller("ol-operators").get("/workflow/datamining/getOperations")
    assert len(everything.json()) == 2


async def test_looking_into_an_object_does_not_take_what_is_inside(stage: Stage) -> None:
    billing, operators = stage.caller("ol-billing"), stage.caller("ol-operators")
    data_set = await billing.data_set()
    (record,) = (await operators.get(f"/entity/datasets/{data_set}")).json()["identifiers"]
    await billing.get(f"/entity/datasets/{data_set}")
    assert (await billing.get(f"/entity/datarecords/{record}/values")).status == 200


async def test_fetching_a_result_does_not_take_it(stage: Stage) -> None:
    billing, operators = stage.caller("ol-billing"), stage.caller("ol-operators")
    path = f"/workflow/datamining/Promo-EN.OL-datamapper/{await billing.upload()}"
    data_set = await operators.result("datamining", await billing.start(path))
    assert (await billing.get(f"/entity/datasets/{data_set}")).status == 200


async def test_the_api_face_does_not_take_what_operators_look_into(stage: Stage) -> None:
    billing, operators = stage.caller("ol-billing"), stage.caller("ol-operators")
    job = await billing.job()
    seen = (await operators.get(f"/api/v1/jobs/{job}")).json()["segments"][0]
    await billing.get(f"/entity/jobs/{job}")
    assert (await billing.get(f"/entity/jobsegments/{seen}")).status == 200


async def test_another_service_ends_nothing(stage: Stage) -> None:
    stage.simulator.change(operation_seconds=30)
    caller = stage.caller()
    path = f"/workflow/datamining/Promo-EN.OL-datamapper/{await caller.upload()}"
    operation = await caller.start(path)
    other = await caller.get(f"/workflow/jobcreation/getProgress/{operation}")
    assert other.status == 404
    again = await caller.get(f"/workflow/datamining/getProgress/{operation}")
    assert (again.status, again.text.isdigit()) == (200, True)


async def test_a_start_cannot_be_declared_synchronous(stage: Stage) -> None:
    caller = stage.caller()
    path = f"/workflow/datamining/Promo-EN.OL-datamapper/{await caller.upload()}?async=false"
    operation = await caller.start(path)
    assert (await stage.gateway.ledger.operation(operation)) is not None


async def test_ids_in_a_results_headers_are_learned(stage: Stage) -> None:
    caller = stage.caller()
    body = {
        "datamining": {"identifier": await _file(caller), "config": "Promo-EN.OL-datamapper"},
        "contentcreation": {"config": "letter-ol.OL-template"},
        "jobcreation": {},
        "outputcreation": {"config": "Print-PDF.OL-outputpreset", "createOnly": True},
        "returnIdInHeader": True,
    }
    operation = await caller.start("/workflow/print/submit", json=body)
    reply = await caller.post(f"/workflow/print/getResult/{operation}")
    assert reply.body.startswith(b"%PDF")
    for name, path in (("Data", "datasets"), ("Content", "contentsets"), ("Job", "jobsets")):
        id_ = reply.headers[f"X-{name}-Set-ID"]
        assert (await caller.get(f"/entity/{path}/{id_}")).status == 200


async def test_output_from_jobs_checks_the_jobs(world: Any) -> None:
    own, foreign = (int(team.objects[Kind.JOB]) for team in (world.marketing, world.billing))
    for job, status in ((own, 202), (foreign, 404)):
        step = {"identifiers": [job], "config": "Print-PDF.OL-outputpreset"}
        reply = await world.marketing.caller.post(
            "/workflow/print/submit", json={"outputcreation": step}
        )
        assert reply.status == status


async def test_a_team_the_caller_is_not_in_is_as_good_as_none(stage: Stage) -> None:
    caller = stage.caller("ol-billing")
    replies = [
        await caller.get("/entity/jobsets", headers={"OL-Team": team})
        for team in ("marketing", "no-such-team")
    ]
    assert [(reply.status, reply.code) for reply in replies] == [(403, "no_team")] * 2
    assert replies[0].json()["error"]["message"] == replies[1].json()["error"]["message"]


async def test_a_member_of_two_teams_sees_what_the_named_one_owns(stage: Stage) -> None:
    job_set = await stage.caller("ol-marketing").job_set()
    both = stage.caller("ol-billing", "ol-marketing")
    assert (await both.get(f"/entity/jobsets/{job_set}")).code == "not_found"
    reply = await both.get(f"/entity/jobsets/{job_set}", headers={"OL-Team": "marketing"})
    assert reply.status == 200


async def test_nested_membership_claims_count() -> None:
    nested = {
        "billing:\n    members: {issuer: corporate, claim: groups": "billing:\n    members: "
        "{issuer: corporate, claim: realm_access.roles"
    }
    async with Stage(replace=nested) as stage:
        claims = {"realm_access": {"roles": ["ol-billing"]}}
        assert (await stage.caller("none", **claims).get("/entity/jobsets")).status == 200
        assert (await stage.caller("ol-billing").get("/entity/jobsets")).code == "no_team"


async def test_grants_name_presets() -> None:
    limited = {
        'credential: printing\n    allow: [{endpoints: ["*.*"]}]\n    pipelines: ["*"]': (
            "credential: printing\n    allow:\n"
            '      - {endpoints: ["file_store.*"]}\n'
            '      - {endpoints: ["data_mapping.*", "all_in_one.*"], presets: ["Promo*"]}\n'
            '    pipelines: ["*"]'
        )
    }
    async with Stage(replace=limited) as stage:
        caller = stage.caller()
        file = await _file(caller)
        base = "/workflow/datamining"
        assert (await caller.post(f"{base}/Promo-EN.OL-datamapper/{file}")).status == 202
        assert (await caller.post(f"{base}/Invoices-PDF.OL-datamapper/{file}")).status == 403
        step = {"datamining": {"identifier": file, "config": "Promo-EN.OL-datamapper"}}
        assert (await caller.post("/workflow/print/submit", json=step)).status == 202
        step["datamining"]["config"] = "Invoices-PDF.OL-datamapper"
        assert (await caller.post("/workflow/print/submit", json=step)).status == 403
        # Nobody is asked whose an object is before the endpoint is granted.
        assert (await caller.get("/entity/jobs/1")).status == 403


async def test_refusals_take_as_long_whoever_owns_the_object(world: Any) -> None:
    """Both are looked up in the store, however well the owner is known."""
    store = world.stage.gateway.ledger._store
    asked = []
    look_up = store.get_many

    async def counted(keys: Any) -> Any:
        asked.append(len(keys))
        return await look_up(keys)

    store.get_many = counted
    for _ in range(2):
        for team in (world.billing, world.nobodys):
            path = f"{REST}/entity/jobs/{team.objects[Kind.JOB]}"
            assert (await world.marketing.caller.get(path)).status == 404
    assert asked == [1, 1, 1, 1]

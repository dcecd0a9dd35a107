"""The twelve endpoints that the user's own documents describe, through the gateway."""

import pytest

from tests.support.stage import Stage, TestCaller

LONG = "75680215109480502128894393157810200000000000"


@pytest.fixture
def caller(stage: Stage) -> TestCaller:
    return stage.caller("ol-billing")


def _links(reply: object) -> list[str]:
    return reply.headers.getall("Link")  # type: ignore[attr-defined, no-any-return]


async def test_job_creation_answers_202_with_links_to_the_gateway(
    stage: Stage, caller: TestCaller
) -> None:
    content_set = await caller.content_set()
    reply = await caller.post(
        "/workflow/jobcreation/Invoices.OL-jobpreset",
        json={"identifiers": [int(content_set)], "parameters": {"FirstName": "Benjamin"}},
    )
    assert (reply.status, reply.body) == (202, b"")
    assert "Content-Type" not in reply.headers
    operation = reply.headers["operationId"]
    base = "http://gateway.test/rest/serverengine/workflow/jobcreation"
    assert _links(reply) == [
        f'<{base}/getProgress/{operation}>; rel="progress"',
        f'<{base}/getResult/{operation}>; rel="result"',
        f'<{base}/cancel/{operation}>; rel="cancel"',
    ]


async def test_job_creation_get_result_is_the_job_sets_id(caller: TestCaller) -> None:
    content_set = await caller.content_set()
    operation = await caller.start(
        "/workflow/jobcreation/Invoices.OL-jobpreset", json={"identifiers": [int(content_set)]}
    )
    reply = await caller.post(f"/workflow/jobcreation/getResult/{operation}")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/plain")
    assert reply.text.isdigit()


async def test_output_creation_by_job_set_and_by_job(caller: TestCaller) -> None:
    job_set = await caller.job_set()
    reply = await caller.post(
        "/workflow/outputcreation/Print-PDF.OL-outputpreset",
        json={"identifier": int(job_set), "createOnly": True},
    )
    assert reply.status == 202
    assert len(_links(reply)) == 3
    jobs = (await caller.get(f"/entity/jobsets/{job_set}")).json()["identifiers"]
    reply = await caller.post(
        "/workflow/outputcreation/Print-PDF.OL-outputpreset/jobs",
        json={"identifiers": jobs, "createOnly": True},
    )
    assert reply.status == 202
    result = await caller.post(f"/workflow/outputcreation/getResult/{reply.headers['operationId']}")
    assert result.body.startswith(b"%PDF")
    assert result.headers["Content-Type"] == "application/octet-stream"


async def test_all_in_one_get_result_is_the_document(caller: TestCaller) -> None:
    file = await caller.upload()
    operation = await caller.start(
        "/workflow/print/submit",
        json={
            "datamining": {"identifier": int(file), "config": "Promo-EN.OL-datamapper"},
            "contentcreation": {"config": "letter-ol.OL-template"},
            "jobcreation": {},
            "outputcreation": {"config": "Print-PDF.OL-outputpreset", "createOnly": True},
        },
    )
    reply = await caller.post(f"/workflow/print/getResult/{operation}")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/octet-stream"
    assert reply.body.startswith(b"%PDF")


async def test_job_contents_and_segments(caller: TestCaller) -> None:
    job = await caller.job()
    contents = await caller.get(f"/entity/jobs/{job}/contents")
    assert contents.headers["Content-Type"] == "application/json"
    assert set(contents.json()["identifiers"][0]) == {"item", "record"}
    segments = await caller.get(f"/entity/jobs/{job}")
    assert all(isinstance(id_, int) for id_ in segments.json()["identifiers"])


@pytest.mark.parametrize("facet", ["properties", "metadata"])
async def test_a_jobs_values_pass_through_unharmed(caller: TestCaller, facet: str) -> None:
    job = await caller.job()
    values = [{"name": "code", "value": LONG}, {"name": "agent", "value": "007"}]
    written = await caller.put(
        f"/entity/jobs/{job}/{facet}", json={"id": int(job), "properties": values}
    )
    assert (written.status, written.body) == (200, b"true")
    assert written.headers["Content-Type"] == "text/plain"
    read = await caller.get(f"/entity/jobs/{job}/{facet}")
    assert read.headers["Content-Type"] == "application/json"
    assert read.json() == values


async def test_properties_of_several_jobs_are_written_at_once(caller: TestCaller) -> None:
    jobs = [await caller.job(), await caller.job()]
    for job in jobs:
        await caller.get(f"/entity/jobs/{job}/properties")
    written = await caller.put(
        "/entity/jobs/properties",
        json=[{"id": int(job), "properties": [{"name": "n", "value": f"0{job}"}]} for job in jobs],
    )
    assert (written.status, written.body) == (200, b"")
    for job in jobs:
        read = await caller.get(f"/entity/jobs/{job}/properties")
        assert read.json() == [{"name": "n", "value": f"0{job}"}]

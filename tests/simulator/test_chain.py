"""From a data file to a PDF that opens, step by step and in one."""

import io
import zipfile
from typing import Any

import pytest
from pypdf import PdfReader

ALL_IN_ONE = "/workflow/print"
OUTPUT = "/workflow/outputcreation"
STEPS = {
    "datamining": {"identifier": "people.csv", "config": "Promo-EN.OL-datamapper"},
    "contentcreation": {"config": "letter-ol.OL-template"},
    "jobcreation": {},
    "outputcreation": {"config": "Print-PDF.OL-outputpreset"},
}


def pages(content: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]


async def test_four_steps_end_in_a_pdf(api: Any) -> None:
    job_set = await api.job_set()
    reply = await api.run(OUTPUT, f"/Print-PDF.OL-outputpreset/{job_set}")
    assert reply.headers["Content-Type"] == "application/octet-stream"
    printed = pages(reply.body)
    assert len(printed) == 3
    assert "ID: 0001" in printed[0]
    assert "FirstName: Cyd" in printed[2]


async def test_output_of_single_jobs(api: Any) -> None:
    job_set = await api.job_set()
    jobs = (await api("GET", f"/entity/jobsets/{job_set}")).json
    reply = await api.run(OUTPUT, "/Print-PDF.OL-outputpreset/jobs", json=jobs)
    assert len(pages(reply.body)) == 3


async def test_separated_output_is_paths_or_a_managed_directory(api: Any) -> None:
    api.simulator.change(separator=";")
    body = {"identifier": await api.job_set(), "jobOutputFolder": "D:\\out"}
    path = "/Separate-PDF.OL-outputpreset"
    paths = await api.run(OUTPUT, path, json=body)
    assert paths.headers["Content-Type"] == "application/octet-stream"
    assert paths.text.split(";")[0] == "D:\\out\\Separate-PDF-1.pdf"
    as_text = await api.run(OUTPUT, path, "getResultTxt", json=body)
    assert (as_text.headers["Content-Type"], as_text.body) == ("text/plain", paths.body)
    managed = await api.run(OUTPUT, path, "getManagedResult", json=body)
    archive = await api("GET", f"/filestore/file/{managed.text}")
    assert archive.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(archive.body)) as parts:
        assert [len(pages(parts.read(name))) for name in parts.namelist()] == [1, 1, 1]


async def test_create_only_has_no_final_destination(api: Any) -> None:
    body = {"identifier": await api.job_set(), "createOnly": True, "jobOutputFolder": "D:\\out"}
    reply = await api.run(OUTPUT, "/Print-PDF.OL-outputpreset", "getResultTxt", json=body)
    assert "spool" in reply.text
    assert "D:\\out" not in reply.text


@pytest.mark.parametrize("form", ["text", "json"])
async def test_managed_result(api: Any, form: str) -> None:
    api.simulator.change(managed_result=form)
    path = f"/Print-PDF.OL-outputpreset/{await api.job_set()}"
    reply = await api.run(OUTPUT, path, "getManagedResult")
    if form == "json":
        assert reply.json["files"] == ["Print-PDF.pdf"]
        number = reply.json["identifier"]
    else:
        assert reply.headers["Content-Type"] == "text/plain"
        number = int(reply.text)
    assert len(pages((await api("GET", f"/filestore/file/{number}")).body)) == 3


@pytest.mark.parametrize(
    ("steps", "kind", "header"),
    [
        (1, "Data-Set-ID", "X-Data-Set-ID"),
        (2, "Content-Set-ID", "X-Content-Set-ID"),
        (3, "Job-Set-ID", "X-Job-Set-ID"),
    ],
)
async def test_all_in_one_ends_with_its_last_step(
    api: Any, steps: int, kind: str, header: str
) -> None:
    await api.upload(filename="people.csv")
    body = {**dict(list(STEPS.items())[:steps]), "returnIdInHeader": True}
    reply = await api.run(ALL_IN_ONE, "/submit", json=body)
    assert reply.headers["Content-Type"] == "application/octet-stream"
    assert reply.headers["X-Result-Type"] == kind
    assert reply.headers[header] == reply.text == "1"


async def test_all_in_one_to_output(api: Any) -> None:
    await api.upload(filename="people.csv")
    body = {**STEPS, "printRange": {"printRange": "1,3-9"}, "returnIdInHeader": True}
    reply = await api.run(ALL_IN_ONE, "/submit", json=body)
    assert reply.headers["X-Result-Type"] == "Output-Streamed"
    assert reply.headers["X-Job-Set-ID"] == "1"
    assert [page.split("\n")[1] for page in pages(reply.body)] == [
        "FirstName: Ann",
        "FirstName: Cyd",
    ]


async def test_all_in_one_can_leave_no_data_set(api: Any) -> None:
    await api.upload(filename="people.csv")
    mapping = {**STEPS["datamining"], "persistDataset": False}
    reply = await api.run(ALL_IN_ONE, "/submit", json={**STEPS, "datamining": mapping})
    assert len(pages(reply.body)) == 3
    assert (await api("GET", "/entity/datasets")).json == {"identifiers": []}


async def test_all_in_one_without_its_input(api: Any) -> None:
    reply = await api("POST", f"{ALL_IN_ONE}/submit", json=STEPS)
    assert reply.status == 400
    assert reply.message == "Required Input resource/file not found in File Store"
    assert (await api("POST", f"{ALL_IN_ONE}/submit", json={})).status == 500


async def test_all_in_one_with_adhoc_data(api: Any) -> None:
    path = "/Promo-EN.OL-datamapper/letter-ol.OL-template/0/Print-PDF.OL-outputpreset"
    data = b"Name\nAnn\n"
    assert len(pages((await api.run(ALL_IN_ONE, path, data=data)).body)) == 1
    api.simulator.change(operation_seconds=0.0)
    query = {"async": "false", "filename": "adhoc.csv"}
    reply = await api("POST", ALL_IN_ONE + path, data=data, params=query)
    assert (reply.status, len(pages(reply.body))) == (200, 1)
    reply = await api("POST", ALL_IN_ONE + path, data=data, params={**query, "resultAsTxt": "true"})
    assert reply.headers["Content-Type"] == "text/plain"
    assert reply.text.endswith("\\Print-PDF.pdf")


async def test_jobs_by_default_preset_by_structure_and_without_a_body(api: Any) -> None:
    base = "/workflow/jobcreation"
    content_set = await api.content_set()
    default = await api.run(base, "/default", json={"identifiers": [content_set]})
    everything = await api.run(base, "/Invoices.OL-jobpreset")
    documents = [{"documents": [{"documentpages": [{"contentitem": 2}]}]}]
    structure = {"jobs": [{"segments": [{"documentsets": documents}]}]}
    structured = await api.run(base, "", json=structure)
    assert [reply.text for reply in (default, everything, structured)] == ["1", "2", "3"]
    contents = (await api("GET", "/entity/jobs/3/contents")).json
    assert contents == {"identifiers": [{"item": 2, "record": 2}]}


async def test_a_wrong_structure_leaves_no_job_set(api: Any) -> None:
    reply = await api.run("/workflow/jobcreation", "", json={"jobs": [{}]})
    assert reply.status == 500
    assert (await api("GET", "/entity/jobsets")).json == {"identifiers": []}


@pytest.mark.parametrize("status", [404, 400])
async def test_missing_entities(api: Any, status: int) -> None:
    api.simulator.change(missing_entity=status)
    missing = {"identifiers": [99]}
    for path, body, name in (
        ("/workflow/jobcreation/Invoices.OL-jobpreset", missing, "Content Set"),
        ("/workflow/outputcreation/Print-PDF.OL-outputpreset", {"identifier": 99}, "Job Set"),
        ("/workflow/contentcreation/letter-ol.OL-template", missing, "Data Record"),
    ):
        reply = await api("POST", path, json=body)
        assert reply.status == status
        assert reply.message.startswith(f"The specified {name} passed into this method refers")
        assert reply.json["error"]["parameter"] == "99"
    preset = await api("POST", "/workflow/outputcreation/None.OL-outputpreset/1")
    assert preset.status == 404

"""How operations start, advance, end, fail and go."""

import asyncio
import re
import uuid
from typing import Any

import pytest

BASE = "/workflow/datamining"
NOT_FOUND = "Operation not found in Server"


async def started(api: Any, data: bytes = b"a,b\n1,2\n") -> str:
    file = await api.upload(data)
    return str(await api.start(BASE, f"/Promo-EN.OL-datamapper/{file}"))


async def progress(api: Any, operation: str) -> Any:
    return await api("GET", f"{BASE}/getProgress/{operation}")


async def test_202_on_a_bare_socket(api: Any) -> None:
    await api.upload(filename="a.csv")
    path = f"/rest/serverengine{BASE}/Promo-EN.OL-datamapper/a.csv"
    head = f"POST {path} HTTP/1.1\nContent-Length: 0"
    received = await api.raw(head)
    status, _, rest = received.partition(b"\r\n")
    fields, _, body = rest.partition(b"\r\n\r\n")
    assert status == b"HTTP/1.1 202 Accepted"
    assert body == b""
    names = [line.partition(b":")[0].lower() for line in fields.split(b"\r\n")]
    assert b"content-type" not in names
    assert b"server" not in names
    assert names.count(b"link") == 3
    found = re.search(rb"operationId: (\S+)\r\n", fields)
    assert found is not None
    assert str(uuid.UUID(found[1].decode())) == found[1].decode()


async def test_links_as_lines_with_the_callers_host(api: Any) -> None:
    file = await api.upload()
    reply = await api("POST", f"{BASE}/Promo-EN.OL-datamapper/{file}")
    operation = reply.headers["operationId"]
    url = f"{api.simulator.url}/rest/serverengine{BASE}"
    assert reply.links == [
        f'<{url}/getProgress/{operation}>; rel="progress"',
        f'<{url}/getResult/{operation}>; rel="result"',
        f'<{url}/cancel/{operation}>; rel="cancel"',
    ]


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({"link_target": "relative"}, "</rest/serverengine/workflow/"),
        ({"link_host": "http://OLSERVER:9340"}, "<http://OLSERVER:9340/rest/serverengine/"),
    ],
)
async def test_links_in_one_line(api: Any, changes: dict[str, str], start: str) -> None:
    api.simulator.change(link_form="comma", **changes)
    file = await api.upload()
    reply = await api("POST", f"{BASE}/Promo-EN.OL-datamapper/{file}")
    assert len(reply.links) == 1
    parts = reply.links[0].split(", ")
    assert [part.partition("rel=")[2] for part in parts] == ['"progress"', '"result"', '"cancel"']
    assert all(part.startswith(start) for part in parts)


async def test_progress_runs_to_done_and_then_is_gone(api: Any) -> None:
    operation = await started(api)
    seen = []
    for _ in range(5):
        seen.append((await progress(api, operation)).body)
        api.clock.advance(2.5)
    assert seen == [b"0", b"25", b"50", b"75", b"done"]
    api.clock.advance(30)
    gone = await progress(api, operation)
    assert (gone.status, gone.message) == (404, NOT_FOUND)
    result = await api("POST", f"{BASE}/getResult/{operation}")
    assert (result.status, result.body) == (200, b"1")


async def test_more_records_take_longer(api: Any) -> None:
    api.simulator.change(seconds_per_record=1.0)
    operation = await started(api, b"a\n" + b"1\n" * 9)
    api.clock.advance(10)
    assert (await progress(api, operation)).text == "50"


async def test_a_result_asked_for_too_early_waits(api: Any) -> None:
    operation = await started(api)

    async def later() -> None:
        await asyncio.sleep(0.03)
        api.clock.advance(10)

    reply, _ = await asyncio.gather(api("POST", f"{BASE}/getResult/{operation}"), later())
    assert (reply.status, reply.text) == (200, "1")


@pytest.mark.parametrize("status", [404, 409, 500])
async def test_a_result_asked_for_too_early_is_refused(api: Any, status: int) -> None:
    api.simulator.change(early_result=str(status))
    operation = await started(api)
    reply = await api("POST", f"{BASE}/getResult/{operation}")
    assert reply.status == status
    assert reply.message
    api.clock.advance(10)
    assert (await api("POST", f"{BASE}/getResult/{operation}")).status == 200


@pytest.mark.parametrize(("again", "status"), [("again", 200), ("gone", 404)])
async def test_a_second_fetch(api: Any, again: str, status: int) -> None:
    api.simulator.change(result_twice=again)
    operation = await started(api)
    api.clock.advance(10)
    assert (await api("POST", f"{BASE}/getResult/{operation}")).status == 200
    assert (await api("POST", f"{BASE}/getResult/{operation}")).status == status


async def test_nothing_exists_before_the_end(api: Any) -> None:
    await started(api)
    api.clock.advance(9)
    assert (await api("GET", "/entity/datasets")).json == {"identifiers": []}
    api.clock.advance(1)
    assert (await api("GET", "/entity/datasets")).json == {"identifiers": [1]}


async def test_cancel(api: Any) -> None:
    operation = await started(api)

    async def cancel() -> Any:
        await asyncio.sleep(0.02)
        return await api("POST", f"{BASE}/cancel/{operation}")

    waiting, canceled = await asyncio.gather(api("POST", f"{BASE}/getResult/{operation}"), cancel())
    assert (canceled.status, canceled.body) == (204, b"")
    assert "Content-Type" not in canceled.headers
    assert waiting.status == 404
    assert (await progress(api, operation)).status == 404
    api.clock.advance(100)
    assert (await api("GET", "/entity/datasets")).json == {"identifiers": []}


async def test_cancel_after_the_end_changes_nothing(api: Any) -> None:
    operation = await started(api)
    api.clock.advance(10)
    assert (await api("POST", f"{BASE}/cancel/{operation}")).status == 204
    assert (await api("POST", f"{BASE}/getResult/{operation}")).status == 200


async def test_a_failed_mapping(api: Any) -> None:
    operation = await started(api, b"a,b\n1,2\n1,2,3\n")
    api.clock.advance(10)
    assert (await progress(api, operation)).text == "done"
    reply = await api("POST", f"{BASE}/getResult/{operation}")
    assert reply.status == 500
    assert reply.message.startswith("Error executing DM configuration: Record 2")


async def test_operations_are_listed_while_they_run(api: Any) -> None:
    operation = await started(api)
    api.clock.advance(5)
    (entry,) = (await api("GET", f"{BASE}/getOperations")).json
    assert entry["id"] == operation
    assert entry["type"] == "DataMiningRestService"
    assert entry["progress"] == 50
    assert entry["startTime"] == 1_700_000_000_000
    assert (await api("GET", "/workflow/jobcreation/getOperations")).json == []
    api.clock.advance(5)
    assert (await api("GET", f"{BASE}/getOperations")).json == []


@pytest.mark.parametrize(("shared", "status"), [(False, 404), (True, 200)])
async def test_operations_of_another_service(api: Any, shared: bool, status: int) -> None:
    api.simulator.change(cross_service=shared)
    operation = await started(api)
    reply = await api("GET", f"/workflow/jobcreation/getProgress/{operation}")
    assert reply.status == status


async def test_unknown_operations(api: Any) -> None:
    for method, name in (("GET", "getProgress"), ("POST", "getResult"), ("POST", "cancel")):
        reply = await api(method, f"/workflow/print/{name}/{uuid.uuid4()}")
        assert (reply.status, reply.message) == (404, NOT_FOUND)


async def test_the_clean_up_service(api: Any) -> None:
    api.simulator.change(clean_up_seconds=60)
    file = await api.upload()
    kept = await api.upload(persistent="True")
    operation = await started(api)
    api.clock.advance(10)
    assert (await api("POST", f"{BASE}/getResult/{operation}")).text == "1"
    api.clock.advance(71)
    assert (await api("GET", f"/filestore/file/{file}")).status == 404
    assert (await api("GET", f"/filestore/file/{kept}")).status == 200
    assert (await api("GET", "/entity/datasets/1")).status == 404
    assert (await api("POST", f"{BASE}/getResult/{operation}")).status == 404


async def test_validation(api: Any) -> None:
    good, bad = await api.upload(), await api.upload(b"a,b\n1\n")
    results = [
        await api.run(BASE, f"/Promo-EN.OL-datamapper/{file}", params={"validate": "true"})
        for file in (good, bad)
    ]
    assert results[0].text == '{"result": "OK", "recordcount": 3, "errors": []}'
    assert results[0].headers["Content-Type"] == "text/plain"
    assert '"result": "ERROR"' in results[1].text
    assert (await api("GET", "/entity/datasets")).json == {"identifiers": []}


async def test_mapping_by_json_identifier(api: Any) -> None:
    await api.upload(filename="a.csv")
    body = {"identifier": "a.csv", "parameters": {"n": 1}}
    assert (await api.run(BASE, "/Promo-EN.OL-datamapper", json=body)).text == "1"
    for content in (b"", b"{", b"{}", b"[]"):
        reply = await api("POST", f"{BASE}/Promo-EN.OL-datamapper", data=content)
        assert (reply.status, "JSON Identifier" in reply.message) == (500, True)
    missing = await api("POST", f"{BASE}/Promo-EN.OL-datamapper", json={"identifier": "b.csv"})
    assert missing.status == 404


async def test_pdf_data(api: Any) -> None:
    pdf = b"%PDF-1.4\n<</Type /Page>> <</Type/Page>> <</Type /Pages>>"
    file = await api.upload(pdf)
    assert (await api.run(BASE, f"/pdfvtds/{file}")).text == "1"
    assert (await api.run(BASE, f"/pdfvtcs/{file}")).text == "1"
    body = {"identifier": "Invoices-PDF.OL-datamapper", "defaults": {"duplex": "true"}}
    assert (await api.run(BASE, f"/createcontentset/{file}", json=body)).text == "2"
    pages = (await api("GET", "/entity/contentsets/2")).json["identifiers"]
    assert pages == [{"item": 3, "record": 5}, {"item": 4, "record": 6}]
    body = {"identifier": "Promo-EN.OL-datamapper"}
    wrong = await api("POST", f"{BASE}/createcontentset/{file}", json=body)
    assert wrong.status == 400
    assert wrong.message == ("Wrong Datamapper configuration type: [CSV]. Expected PDF/PS/PCL/AFP.")
    assert (await api.run(BASE, f"/pdfvtds/{await api.upload()}")).status == 500

"""Routes, handshakes, and the exact form of answers."""

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from gateway.simulator.errors import SimulatorError
from gateway.simulator.options import Options
from gateway.simulator.server import Simulator, serve, served_routes
from gateway.tasks import TaskSet

SERVICES = {
    "/authentication": "Authentication",
    "/filestore": "Filestore",
    "/workflow/datamining": "DataMining",
    "/workflow/contentcreation": "ContentCreation",
    "/workflow/contentcreation/email": "EmailExport",
    "/workflow/contentcreation/html": "HTMLMerge",
    "/workflow/jobcreation": "JobCreation",
    "/workflow/outputcreation": "OutputCreation",
    "/workflow/print": "Print",
    "/entity": "Entity",
    "/entity/datarecords": "DataRecordEntity",
    "/entity/contentitems": "ContentItemEntity",
    "/entity/documents": "DocumentEntity",
    "/entity/documentsets": "DocumentSetEntity",
    "/entity/jobs": "JobEntity",
    "/entity/jobsegments": "JobSegmentEntity",
}
# How many methods the reference counts per service (its section 1.12).
COUNTS = {
    "/authentication": 4,
    "/filestore": 19,
    "/workflow/datamining": 11,
    "/workflow/contentcreation": 14,
    "/workflow/contentcreation/email": 8,
    "/workflow/contentcreation/html": 6,
    "/workflow/jobcreation": 9,
    "/workflow/outputcreation": 12,
    "/workflow/print": 10,
    "/entity": 3,
    "/entity/datarecords": 11,
    "/entity/datasets": 6,
    "/entity/contentsets": 7,
    "/entity/contentitems": 6,
    "/entity/documents": 4,
    "/entity/documentsets": 5,
    "/entity/jobs": 9,
    "/entity/jobsegments": 5,
    "/entity/jobsets": 8,
    "/statistics": 1,
    "/workflow/rasterize": 1,
}


def service_of(template: str) -> str:
    path = template.removeprefix("/rest/serverengine")
    fitting = [base for base in COUNTS if path == base or path.startswith(f"{base}/")]
    return max(fitting, key=len)


def test_every_documented_method_is_served_once() -> None:
    routes = served_routes()
    assert len(routes) == len(set(routes)) == 159
    assert Counter(service_of(template) for _, template in routes) == COUNTS


@pytest.mark.parametrize(
    "route",
    [
        ("POST", "/workflow/outputcreation/{configId}/jobs"),
        ("POST", "/workflow/print/{dmConfigId}/{templateId}/{jcConfigId}/{ocConfigId}"),
        ("GET", "/workflow/contentcreation/html/{templateId}/{dataRecordId}"),
        ("GET", "/filestore/file/{fileId}/{relPath}"),
        ("PUT", "/entity/jobs/{jobId}/metadata"),
        ("HEAD", "/authentication"),
        ("POST", "/workflow/jobcreation/getResult/{operationId}"),
        ("POST", "/workflow/datamining/createcontentset/{dataFileID}"),
        ("GET", "/statistics/jobset/{jobSetID}"),
    ],
)
def test_templates_are_named_as_in_the_reference(route: tuple[str, str]) -> None:
    method, path = route
    assert (method, f"/rest/serverengine{path}") in served_routes()


@pytest.mark.parametrize(("base", "name"), SERVICES.items())
async def test_handshakes(api: Any, base: str, name: str) -> None:
    expected = f"Server Engine REST Service available: {name}RestService"
    for path in (base, f"{base}/"):
        reply = await api("GET", path)
        assert (reply.status, reply.text) == (200, expected)
        assert reply.headers["Content-Type"] == "text/plain"
        head = await api("HEAD", path)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Length"] == str(len(expected))


@pytest.mark.parametrize("base", [base for base in COUNTS if base.count("/") < 4][:-2])
async def test_versions_win_over_templates(api: Any, base: str) -> None:
    reply = await api("GET", f"{base}/version")
    assert (reply.status, reply.text) == (200, api.simulator.options.version)
    assert reply.text.split(".")[:2] == ["2024", "2"]


async def test_what_is_not_there(api: Any) -> None:
    unknown = await api("GET", "/workflow/no/such/path/at/all")
    assert (unknown.status, unknown.headers["Content-Type"]) == (404, "application/json")
    assert unknown.message
    wrong = await api("DELETE", "/entity/jobs/1")
    assert (wrong.status, wrong.headers["Allow"]) == (405, "GET")
    # The literal path has no GET, and the template behind it is not asked.
    assert (await api("GET", "/entity/jobs/properties")).status == 405
    assert (await api("GET", "/entity//jobs")).status == 404


async def test_enhance_is_not_installed(api: Any) -> None:
    assert (await api("GET", "/workflow/outputcreation/execute/a/1")).status == 500


async def test_requests_with_the_wrong_content_type_are_taken(api: Any) -> None:
    headers = {**api.auth, "Content-Type": "application/json"}
    assert (await api("GET", "/entity/jobsets", headers=headers)).status == 200
    assert (await api("POST", "/entity/jobsets/1/delete", headers=headers)).status == 200


async def test_chunked_json(api: Any) -> None:
    async def parts() -> Any:
        yield b'{"entity":'
        yield b'"JOBS"}'

    assert (await api("PUT", "/entity/find", data=parts())).json == []


async def test_the_charset_switch(api: Any) -> None:
    assert (await api("GET", "/entity/jobsets")).headers["Content-Type"] == "application/json"
    api.simulator.change(charset=True)
    for path, kind in (("/entity/jobsets", "application/json"), ("/entity", "text/plain")):
        reply = await api("GET", path)
        assert reply.headers["Content-Type"] == f"{kind};charset=UTF-8"


async def test_the_cors_switch(api: Any) -> None:
    headers = {"Origin": "https://portal.example.com"}
    preflight = {**headers, "Access-Control-Request-Method": "POST"}
    reply = await api("OPTIONS", "/entity/jobsets", headers=preflight)
    assert reply.status == 405
    assert "Access-Control-Allow-Origin" not in reply.headers
    api.simulator.change(cors=True)
    reply = await api("OPTIONS", "/entity/jobsets", headers=preflight)
    assert reply.status == 200
    assert reply.headers["Access-Control-Allow-Origin"] == headers["Origin"]
    assert "auth_token" in reply.headers["Access-Control-Allow-Headers"]
    got = await api("GET", "/entity/jobsets", headers={**api.auth, **headers})
    assert "operationId" in got.headers["Access-Control-Expose-Headers"]


async def test_an_upload_that_breaks_off_leaves_no_file(api: Any) -> None:
    last = int(await api.upload())
    _, writer = await asyncio.open_connection("127.0.0.1", api.simulator.port)
    head = f"POST /rest/serverengine/filestore/DataFile HTTP/1.1\r\nHost: ol\r\n\
Authorization: {api.auth['Authorization']}\r\nContent-Length: 1000\r\n\r\nhalf"
    writer.write(head.encode())
    await writer.drain()
    requests = api.simulator.record.requests
    # Only the other end of the socket knows when, and it has no event to wait for.
    while len(requests) < 2 or not requests[1].body_size:  # noqa: ASYNC110
        await asyncio.sleep(0)
    writer.transport.abort()
    await asyncio.sleep(0.01)
    assert requests[1].status == 0
    assert int(await api.upload()) == last + 1


async def test_text_that_fits_no_header_and_no_utf8(api: Any) -> None:
    file = await api.upload(filename="a\r\nSet-Cookie: b=1\0é")
    reply = await api("GET", f"/filestore/file/{file}")
    assert "Set-Cookie" not in reply.headers
    assert reply.headers["OL-Original-Filename"] == "a__Set-Cookie: b=1_?"
    await api.data_set()
    body = b'{"id":1,"properties":[{"name":"a","value":"\\ud800"}]}'
    path = "/entity/datasets/1/properties"
    assert (await api("PUT", path, data=body)).body == b"true"
    assert (await api("GET", path)).json == [{"name": "a", "value": "?"}]


async def test_a_bug_is_a_500_in_the_servers_form(api: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(api.simulator.engine, "entities", None)
    reply = await api("GET", "/entity/jobsets")
    assert (reply.status, reply.message) == (500, "Internal server error")


async def test_a_port_that_is_taken(api: Any) -> None:
    other = Simulator()
    with pytest.raises(SimulatorError, match="cannot listen on"):
        await other.start(port=api.simulator.port)


async def test_further_managed_files(api: Any) -> None:
    other = Simulator(Options(managed_files=("Mine.OL-template",)))
    assert other.engine.files.find("Mine.OL-template") is not None
    with pytest.raises(SimulatorError, match="must end in one of"):
        Simulator(Options(managed_files=("Mine.txt",)))


async def test_the_real_clock() -> None:
    simulator = Simulator(Options(operation_seconds=0.02, seconds_per_record=0), now=time.time)
    operation = simulator.engine.start("X", lambda: None, records=0, who="")  # type: ignore[arg-type,return-value]
    with pytest.raises(AssertionError):
        await simulator.engine.operations.outcome(operation)
    assert time.time() >= operation.ends


async def test_serve_says_where_and_stops_when_cancelled(capsys: Any) -> None:
    serving, shown = TaskSet().start(serve(0)), ""
    while "OL Connect simulator on http://127.0.0.1:" not in shown:
        assert not serving.done()
        await asyncio.sleep(0.001)
        shown += capsys.readouterr().out
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert "ol-admin" in shown
    assert "secret" not in shown

"""The file store: upload, names, download, deletion, resources, reports."""

import hashlib
import io
import zipfile
from typing import Any

import pytest

LISTED = "/filestore/resources"


async def test_upload_and_download(api: Any) -> None:
    reply = await api("POST", "/filestore/DataFile", data=b"abc", params={"filename": "a b.csv"})
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/plain")
    assert reply.text.isdigit()
    for name in (reply.text, "a%20b.csv"):
        found = await api("GET", f"/filestore/file/{name}")
        assert found.body == b"abc"
        assert found.headers["Content-Type"] == "application/octet-stream"
        assert found.headers["Content-Disposition"] == "attachment; filename=a b.csv"
        assert found.headers["OL-Original-Filename"] == "a b.csv"
    head = await api("HEAD", f"/filestore/file/{reply.text}")
    assert (head.status, head.headers["Content-Length"], head.body) == (200, "3", b"")


async def test_an_empty_upload(api: Any) -> None:
    for path in ("DataFile", "DataMiningConfig", "template", "JobCreationConfig"):
        reply = await api("POST", f"/filestore/{path}")
        assert reply.status == 400
        assert reply.message == "Request contains no data for upload to File Store"


async def test_the_newest_of_a_name_wins(api: Any) -> None:
    old = await api.upload(b"old", filename="x.csv")
    await api.upload(b"new", filename="x.csv")
    assert (await api("GET", "/filestore/file/x.csv")).body == b"new"
    assert (await api("GET", f"/filestore/file/{old}")).body == b"old"
    await api("POST", "/filestore/delete/x.csv")
    assert (await api("GET", "/filestore/file/x.csv")).body == b"old"
    await api("POST", "/filestore/delete/x.csv")
    assert (await api("GET", "/filestore/file/x.csv")).status == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_delete(api: Any, method: str) -> None:
    file = await api.upload()
    reply = await api(method, f"/filestore/delete/{file}")
    assert (reply.status, reply.body) == (200, b"true")
    for path in (f"/filestore/delete/{file}", f"/filestore/file/{file}"):
        reply = await api("GET", path)
        assert (reply.status, reply.message) == (404, "Invalid Managed File ID")


async def test_a_file_in_use_stays(api: Any) -> None:
    file = await api.upload()
    await api.start("/workflow/datamining", f"/Promo-EN.OL-datamapper/{file}")
    reply = await api("POST", f"/filestore/delete/{file}")
    assert reply.status == 400
    assert "File is still required by OL Connect" in reply.message
    api.clock.advance(10)
    assert (await api("POST", f"/filestore/delete/{file}")).body == b"true"


async def test_resources_lists_what_is_persistent(api: Any) -> None:
    await api.upload(kind="template", filename="mine.OL-template", persistent="True")
    await api.upload(kind="template", filename="passing.OL-template")
    await api.upload(b"abc", filename="kept.csv", persistent="true")
    names = [each["name"] for each in (await api("GET", LISTED)).json]
    assert "mine.OL-template" in names
    assert "Promo-EN.OL-datamapper" in names
    assert not {"passing.OL-template", "kept.csv"} & set(names)
    data = (await api("GET", LISTED, params={"type": "DATA_FILE"})).json
    assert [(each["name"], each["size"], each["type"]) for each in data] == [
        ("kept.csv", 3, "DATA_FILE")
    ]
    wrong = await api("GET", LISTED, params={"type": "NOTHING"})
    assert wrong.status == 500
    assert wrong.message.startswith("No enum constant ")
    assert wrong.message.endswith("ManagedFileType.NOTHING")


async def test_a_large_upload_goes_to_disk_and_comes_back(api: Any) -> None:
    api.simulator.change(keep_upload_bytes=1000)
    content = bytes(range(256)) * 1000
    file = await api.upload(content)
    (entry,) = api.simulator.record.requests
    assert entry.body_size == len(content)
    assert entry.body_sha256 == hashlib.sha256(content).hexdigest()
    assert (await api("GET", f"/filestore/file/{file}")).body == content


async def test_a_file_of_zeros(api: Any) -> None:
    api.simulator.engine.add_zero_file("zeros.bin", 200_001)
    assert (await api("GET", "/filestore/file/zeros.bin")).body == bytes(200_001)


async def test_a_result_of_zeros(api: Any) -> None:
    api.simulator.engine.add_zero_preset("Zeros.OL-outputpreset", 70_000)
    path = f"/Zeros.OL-outputpreset/{await api.job_set()}"
    reply = await api.run("/workflow/outputcreation", path)
    assert reply.body == bytes(70_000)


async def test_templates_download_as_archives_and_in_parts(api: Any) -> None:
    whole = await api("GET", "/filestore/file/letter-ol.OL-template")
    assert whole.headers["Content-Type"] == "application/zip"
    assert whole.headers["Content-Disposition"] == "attachment; filename=letter-ol.zip"
    assert zipfile.ZipFile(io.BytesIO(whole.body)).testzip() is None
    path = "/filestore/file/letter-ol.OL-template/css/default.css"
    part = await api("GET", path)
    assert part.headers["Content-Type"] == "text/css"
    encoded = await api("GET", path, params={"output": "base64"})
    assert encoded.text == "aDEgeyBjb2xvcjogIzIyNDQ4ODsgfQo="
    assert (await api("GET", "/filestore/file/letter-ol.OL-template/none.css")).status == 404


async def test_synchronizing_keeps_the_number(api: Any) -> None:
    file = await api.upload(b"old")
    for kind, content_type in (("file", "application/octet-stream"), ("dir", "application/zip")):
        reply = await api("POST", f"/filestore/{kind}/{file}", data=b"new")
        assert reply.text == file
        found = await api("GET", f"/filestore/file/{file}")
        assert (found.body, found.headers["Content-Type"]) == (b"new", content_type)


async def test_template_report(api: Any) -> None:
    path = "/filestore/template/report/letter-ol.OL-template"
    report = (await api("GET", path, params={"filter": "sections,contexts"})).json
    assert report == {"sections": ["Section 1"] * 3, "contexts": ["print", "web", "email"]}
    xml = {**api.auth, "Accept": "application/xml"}
    reply = await api("GET", path, headers=xml)
    assert reply.headers["Content-Type"] == "application/xml"
    assert b"<contexts><item>print</item>" in reply.body
    assert (await api("GET", path, params={"filter": "Sections"})).message == "Invalid filter"
    picture = {**api.auth, "Accept": "image/png"}
    assert (await api("GET", path, headers=picture)).status == 406


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("DataMiningConfig", "Promo-EN.OL-datamapper"),
        ("JobCreationConfig", "Invoices.OL-jobpreset"),
        ("template", "letter-ol.OL-template"),
    ],
)
async def test_runtime_parameters(api: Any, kind: str, name: str) -> None:
    path = f"/filestore/{kind}/runtimeparameters"
    assert (await api("GET", f"{path}/{name}")).json == {"parameters": []}
    assert (await api("GET", f"{path}/Print-PDF.OL-outputpreset")).status == 404

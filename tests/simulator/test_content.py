"""Content creation: print by ids and by data, e-mail, HTML, previews, rasterizing."""

import io
import zipfile
from typing import Any

import pytest
from PIL import Image
from pypdf import PdfReader

PRINT = "/workflow/contentcreation"
EMAIL = f"{PRINT}/email"
HTML = f"{PRINT}/html"
TEMPLATE = "letter-ol.OL-template"
DATA = {"data": {"schema": {"columns": {"FirstName": "STRING"}}, "fields": {"FirstName": "Zoë"}}}


def size(content: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(content)).size


def archive(suffix: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        parts.writestr(f"anything{suffix}", "x")
    return out.getvalue()


async def test_print_content_by_records_and_by_data(api: Any) -> None:
    await api.data_set()
    body = {"identifiers": [3, 1], "parameters": {"Due": 1.5}}
    assert (await api.run(PRINT, f"/{TEMPLATE}", json=body)).text == "1"
    items = (await api("GET", "/entity/contentsets/1")).json["identifiers"]
    assert [each["record"] for each in items] == [3, 1]
    several = {"data": [DATA["data"], {"FirstName": "plain"}]}
    assert (await api.run(PRINT, f"/{TEMPLATE}", json=several)).text == "2"
    values = (await api("GET", "/entity/datarecords/5/values")).json
    assert values["fields"] == [{"name": "FirstName", "value": "plain"}]


async def test_missing_inputs_of_content_creation(api: Any) -> None:
    template = await api("POST", f"{PRINT}/none/1")
    assert template.status == 404
    assert template.message.startswith("The specified Template passed into this method refers")
    data_set = await api("POST", f"{PRINT}/{TEMPLATE}/9")
    assert data_set.status == 404
    assert data_set.message.startswith("The specified Data Set passed")
    assert (await api("POST", f"{PRINT}/{TEMPLATE}", json={"parameters": []})).status == 500


async def test_a_template_that_is_none(api: Any) -> None:
    template = await api.upload(b"no zip", kind="template")
    reply = await api.run(PRINT, f"/{template}/{await api.data_set()}")
    assert (reply.status, reply.message) == (500, f"Unable to open template {template}")


async def test_a_template_from_elsewhere(api: Any) -> None:
    template = await api.upload(archive(), kind="template")
    assert (await api.run(PRINT, f"/{template}/{await api.data_set()}")).status == 200
    assert "<body>" in (await api("POST", f"{HTML}/{template}")).text


async def test_a_template_without_a_web_context(api: Any) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        parts.writestr("public/document/print/One.html", "x")
    template = await api.upload(out.getvalue(), kind="template")
    reply = await api("POST", f"{HTML}/{template}")
    assert (reply.status, reply.message) == (400, "Web Context not found")


async def test_email(api: Any) -> None:
    body = {"attachPdfPage": True, "eml": True, "sender": "us@example.com"}
    path = f"/{TEMPLATE}/{await api.data_set()}"
    reply = await api.run(EMAIL, path, json=body, params={"section": "Section 1"})
    assert reply.headers["Content-Type"] == "application/json"
    output = reply.json
    assert [each["to"] for each in output["messages"]] == ["ann@example.com", "cyd@example.com"]
    assert output["messages"][0]["attachments"] == [
        {"name": "print.pdf", "disposition": "attachment"}
    ]
    assert "Dear Ann" in output["messages"][0]["body"]
    assert output["errors"] == [{"record": 2, "message": "No recipient address"}]
    assert (await api("GET", f"/entity/contentsets/{output['contentSet']}")).status == 200


async def test_email_by_records_and_a_wrong_section(api: Any) -> None:
    await api.data_set()
    one = await api.run(EMAIL, f"/{TEMPLATE}", json={"identifiers": [1]})
    assert len(one.json["messages"]) == 1
    query = {"section": "None"}
    body = {"identifiers": [1]}
    wrong = await api.run(EMAIL, f"/{TEMPLATE}", json=body, params=query)
    assert (wrong.status, wrong.message) == (400, "Section not found")
    missing = await api("POST", f"{EMAIL}/{TEMPLATE}/99", json={})
    assert (missing.status, missing.message) == (404, "Data set not found")


async def test_html(api: Any) -> None:
    await api.data_set()
    page = await api("GET", f"{HTML}/{TEMPLATE}/1")
    assert page.headers["Content-Type"] == "text/html"
    assert "Dear Ann" in page.text
    assert "<link" in page.text
    doubled = {"section": "", "cssSelector": "", "inline": "NONE"}
    body = {"section": "Section 1", "inline": "CSS"}
    posted = await api("POST", f"{HTML}/{TEMPLATE}/1", json=body, params=doubled)
    assert "<style>h1" in posted.text
    assert "Dear Zoë" in (await api("POST", f"{HTML}/{TEMPLATE}", json=DATA)).text
    assert "Dear  " in (await api("POST", f"{HTML}/{TEMPLATE}")).text


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("h1", "Dear Ann "),
        (".greeting", "Dear Ann "),
        ("p#text", "This is the web section."),
        ("table", ""),
        ("head", '<title>web</title><link rel="stylesheet" href="css/default.css">'),
    ],
)
async def test_css_selector(api: Any, selector: str, expected: str) -> None:
    await api.data_set()
    reply = await api("GET", f"{HTML}/{TEMPLATE}/1", params={"cssSelector": selector})
    assert reply.text == expected


async def test_html_refusals(api: Any) -> None:
    await api.data_set()
    path = f"{HTML}/{TEMPLATE}/1"
    wrong = await api("GET", path, params={"cssSelector": "h1 >"})
    assert (wrong.status, wrong.message) == (500, "Invalid CSS selector")
    assert (await api("GET", path, params={"section": "x"})).message == "Section not found"
    assert (await api("GET", path, params={"inline": "SOME"})).status == 400
    assert (await api("GET", f"{HTML}/{TEMPLATE}/99")).status == 404
    assert (await api("GET", f"{HTML}/none/1")).status == 404


async def test_template_resources(api: Any) -> None:
    style = await api("GET", f"{HTML}/{TEMPLATE}/css/default.css")
    assert (style.headers["Content-Type"], style.text[:2]) == ("text/css", "h1")
    missing = await api("GET", f"{HTML}/{TEMPLATE}/css/none.css")
    assert missing.status == 400
    assert "doesn't exist" in missing.message


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_pdf_preview_of_a_record(api: Any, method: str) -> None:
    await api.data_set()
    query = {"templateId": TEMPLATE, "dataRecordId": "2"}
    reply = await api(method, f"{PRINT}/pdfpreviewdirect", params=query)
    assert reply.headers["Content-Type"] == "text/plain"
    pdf = PdfReader(io.BytesIO((await api("GET", f"/filestore/file/{reply.text}")).body))
    assert "FirstName: Bob" in pdf.pages[0].extract_text()


@pytest.mark.parametrize(("persist", "kept"), [("true", [1]), ("false", [])])
async def test_pdf_preview_of_data(api: Any, persist: str, kept: list[int]) -> None:
    path = f"{PRINT}/pdfpreview/{TEMPLATE}/Promo-EN.OL-datamapper"
    reply = await api("POST", path, data=b"A\n1\n", params={"persist": persist})
    assert reply.text.isdigit()
    assert (await api("GET", "/entity/datasets")).json["identifiers"] == kept
    assert (await api("POST", f"{PRINT}/pdfpreview/{TEMPLATE}", json=DATA)).text.isdigit()


async def test_pictures(api: Any) -> None:
    await api.data_set()
    query = {"templateId": TEMPLATE, "dataRecordId": "1"}
    png = await api("POST", f"{PRINT}/imagepreview", params=query, json={"dpi": 20})
    assert png.headers["Content-Type"] == "image/png"
    assert png.headers["Content-Disposition"] == "attachment; filename=preview.png"
    assert size(png.body) == (165, 234)
    body = {**DATA, "type": "jpg", "dpi": 20}
    jpeg = await api("POST", f"{PRINT}/imagepreview/{TEMPLATE}", json=body)
    assert (jpeg.headers["Content-Type"], jpeg.body[:2]) == ("image/jpeg", b"\xff\xd8")
    zipped = await api("POST", f"{PRINT}/imagepreview/{TEMPLATE}", json={**body, "archive": True})
    assert zipped.headers["Content-Type"] == "application/zip"
    for wrong in ({"type": "gif"}, {"context": "fax"}, {"section": "x"}):
        reply = await api("POST", f"{PRINT}/imagepreview/{TEMPLATE}", json={**DATA, **wrong})
        assert reply.status == 400


async def test_rasterize(api: Any) -> None:
    file = await api.upload(b"%PDF-1.4\n" + b"<</Type /Page>>" * 3)
    one = await api("POST", f"/workflow/rasterize/{file}", json={"dpi": 10, "pages": "2"})
    assert one.headers["Content-Type"] == "image/png"
    several = await api("POST", f"/workflow/rasterize/{file}", json={"dpi": 10, "pages": "1,3-9"})
    with zipfile.ZipFile(io.BytesIO(several.body)) as parts:
        assert len(parts.namelist()) == 2
    for pages in ("x", "9", "1-x"):
        reply = await api("POST", f"/workflow/rasterize/{file}", json={"pages": pages})
        assert reply.status == 500
    assert (await api("POST", f"/workflow/rasterize/{await api.upload()}")).status == 500

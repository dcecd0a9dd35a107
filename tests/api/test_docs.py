"""The documentation page: of this package only, compressed, cacheable, under a strict policy."""

import gzip
import hashlib
import re
from importlib.resources import files

import pytest

from tests.support.stage import Stage, TestCaller

ASSETS = ["docs.css", "docs.js", "swagger-ui.css", "swagger-ui-bundle.js"]
PLAIN = {"Accept-Encoding": "identity"}
STATIC = files("gateway.api") / "static"


@pytest.fixture
def visitor(stage: Stage) -> TestCaller:
    return TestCaller(stage, None)


async def test_the_page_needs_no_token_and_runs_only_files(visitor: TestCaller) -> None:
    reply = await visitor.get("/docs", headers=PLAIN)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = dict(
        directive.strip().split(" ", 1)
        for directive in reply.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == "'self'"
    assert "unsafe" not in policy["script-src"]
    assert re.findall(r"<script(?! src=)", reply.text) == []
    assert re.findall(r"<[^>]* (?:style|on\w+)=", reply.text) == []


async def test_the_page_refers_to_nothing_outside(visitor: TestCaller) -> None:
    page = (await visitor.get("/docs", headers=PLAIN)).text
    script = (await visitor.get("/docs/docs.js", headers=PLAIN)).text
    targets = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(target.startswith(("/docs/", "/openapi.json", "data:,")) for target in targets)
    assert "//" not in re.sub(r"^\s*//.*$", "", script, flags=re.MULTILINE)
    assert "validatorUrl: null" in script
    named = {target.removeprefix("/docs/") for target in targets if target.startswith("/docs/")}
    assert named == set(ASSETS)


@pytest.mark.parametrize("asset", ASSETS)
async def test_assets_are_compressed_and_cached(visitor: TestCaller, asset: str) -> None:
    plain = await visitor.get(f"/docs/{asset}", headers={"Accept-Encoding": "identity"})
    zipped = await visitor.get(f"/docs/{asset}", headers={"Accept-Encoding": "br, gzip"})
    assert plain.status == zipped.status == 200
    assert "Content-Encoding" not in plain.headers
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped.body) == plain.body
    assert plain.headers["ETag"] != zipped.headers["ETag"]
    for reply in (plain, zipped):
        assert "Accept-Encoding" in reply.headers.getall("Vary")
        assert reply.headers["Cache-Control"] == "public, max-age=86400"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
    again = await visitor.get(
        f"/docs/{asset}",
        headers={"Accept-Encoding": "gzip", "If-None-Match": zipped.headers["ETag"]},
    )
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("accepted", ["gzip;q=0", "br", "identity, gzip;q=0.0", "xgzip"])
async def test_gzip_only_where_it_is_accepted(visitor: TestCaller, accepted: str) -> None:
    reply = await visitor.get("/docs/docs.js", headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in reply.headers


@pytest.mark.parametrize(
    "name", ["docs.html", "VERSION.txt", "LICENSE", "swagger-ui", "nothing.js", "docs.py"]
)
async def test_nothing_else_can_be_asked_for(visitor: TestCaller, name: str) -> None:
    reply = await visitor.get(f"/docs/{name}")
    assert (reply.status, reply.code) == (404, "not_found")


@pytest.mark.parametrize("path", ["/docs/..%2fdocs.py", "/docs/%2e%2e/docs.py", "/docs/a%5cb"])
async def test_no_path_leads_out(visitor: TestCaller, path: str) -> None:
    assert (await visitor.get(path)).status == 400


def test_the_viewer_is_the_one_that_was_published() -> None:
    folder = STATIC / "swagger-ui"
    lines = (folder / "VERSION.txt").read_text().splitlines()
    recorded = {line[66:]: line[:64] for line in lines if re.match(r"[0-9a-f]{64}  ", line)}
    present = {file.name.removesuffix(".gz"): file for file in folder.iterdir()}
    assert set(recorded) == set(present) - {"VERSION.txt"}
    for name, digest in recorded.items():
        content = present[name].read_bytes()
        if present[name].name.endswith(".gz"):
            content = gzip.decompress(content)
        assert hashlib.sha256(content).hexdigest() == digest

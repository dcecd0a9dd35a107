"""The demo page as it is served: by ``olgw demo`` only, and its tokens to this machine only."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from gateway import demo, simulator
from tests.support.ports import free_port
from tests.support.stage import Stage

FOLDER = Path(simulator.__file__).parent / "page"
ASSETS = sorted(path.name for path in FOLDER.iterdir())


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    port = free_port()
    async with (
        demo.running(port, free_port()),
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        yield session


@pytest.mark.parametrize("path", ["/", *(f"/demo/{name}" for name in ASSETS)])
async def test_every_file_is_served_with_its_type_and_policy(
    session: aiohttp.ClientSession, path: str
) -> None:
    types = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
    suffix = Path(path).suffix or ".html"
    async with session.get(path) as response:
        assert response.status == 200
        assert response.content_type == types.get(suffix, "image/svg+xml")
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_tokens_open_the_teams_doors(session: aiohttp.ClientSession) -> None:
    async with session.get("/demo/tokens.json") as response:
        assert response.headers["Cache-Control"] == "no-store"
        teams = (await response.json())["teams"]
    assert [team["name"] for team in teams] == list(demo.TEAMS)
    for team in teams:
        headers = {"Authorization": f"Bearer {team['token']}"}
        async with session.get("/api/v1/me", headers=headers) as response:
            assert [each["name"] for each in (await response.json())["teams"]] == [team["name"]]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8080", "localhost.evil"])
async def test_a_foreign_name_for_this_machine_gets_no_token(
    session: aiohttp.ClientSession, host: str
) -> None:
    async with session.get("/demo/tokens.json", headers={"Host": host}) as response:
        assert response.status == 403
        assert (await response.json())["code"] == "not_allowed"


@pytest.mark.parametrize("name", ["page.py", "passwd", "tokens.json.js", "%2e%2e", "a%2fb"])
async def test_nothing_else_is_served(session: aiohttp.ClientSession, name: str) -> None:
    async with session.get(URL(f"/demo/{name}", encoded=True)) as response:
        assert response.status in (400, 404)


@pytest.mark.parametrize("name", ["tokens.json", "page.js"])
async def test_other_gateways_have_no_demo(stage: Stage, name: str) -> None:
    async with stage.session.get(f"{stage.url}/demo/{name}") as response:
        assert response.status == 404
        assert (await response.json())["code"] == "unknown_endpoint"
    async with stage.session.get(f"{stage.url}/") as response:
        assert (await response.json())["service"] == "OL Connect gateway"


@pytest.mark.parametrize("name", ASSETS)
def test_the_page_needs_nothing_from_elsewhere_and_nothing_inline(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|url\(|@import", text)
    assert not re.search(r"<style|<script(?! type=\"module\" src=)|\son\w+=|style=\"", text)


def test_the_example_stays_small() -> None:
    scripts = [path.read_text(encoding="utf-8") for path in FOLDER.glob("*.js")]
    lines = [line for text in scripts for line in text.splitlines() if line.strip()]
    assert len(scripts) == 3
    assert len(lines) < 400

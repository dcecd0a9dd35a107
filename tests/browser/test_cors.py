"""A page from another origin, with nothing but fetch."""

from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from tests.support.stage import CONFIG, Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

RUN = """async ({ gateway, token, path }) => {
  const response = await fetch(gateway + path, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${token}`,
      "Content-Type": "application/json",
      "Idempotency-Key": crypto.randomUUID(),
      Prefer: "wait=20",
    },
    body: JSON.stringify([{ Name: "Jane" }]),
  });
  const type = response.headers.get("Content-Type");
  const text = await response.clone().text();
  return {
    status: response.status,
    start: text.slice(0, 5),
    code: type.includes("problem") ? JSON.parse(text).code : null,
    disposition: response.headers.get("Content-Disposition"),
    requestId: response.headers.get("X-Request-Id"),
  };
}"""

EVENTS = """async ({ gateway, token, path }) => {
  const headers = { Authorization: `Bearer ${token}`, "Last-Event-ID": "" };
  const started = await fetch(gateway + path, { method: "POST", headers, body: '[{"a":"b"}]' });
  const { id } = await started.json();
  const stream = await fetch(`${gateway}/api/v1/operations/${id}/events`, { headers });
  const text = await stream.text();
  return { location: started.headers.get("Location"), last: text };
}"""


class Portal:
    """The company's own page, on its own origin."""

    def __init__(self, page: Any, stage: Stage) -> None:
        self._page = page
        self.stage = stage

    async def run(self, script: str, *, group: str = "ol-billing") -> Any:
        token = self.stage.token(group)
        path = "/api/v1/pipelines/invoice?filename=data.json"
        asked = {"gateway": self.stage.url, "token": token, "path": path}
        return await self._page.evaluate(script, asked)


@pytest_asyncio.fixture(loop_scope="session")
async def portal(browser: Any, request: pytest.FixtureRequest) -> Any:
    """``request.param`` False: the gateway's configuration does not name the origin."""
    application = web.Application()
    application.router.add_get("/", _page)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    known = getattr(request, "param", True)
    origin = f"http://127.0.0.1:{port}" if known else "http://portal.test"
    async with Stage(config=CONFIG.replace("http://portal.test", origin)) as stage:
        page = await browser.new_page()
        await page.goto(f"http://127.0.0.1:{port}/")
        yield Portal(page, stage)
        await page.close()
    await runner.cleanup()


async def _page(_: web.Request) -> web.Response:
    return web.Response(text="<!DOCTYPE html><title>Portal</title>", content_type="text/html")


async def test_another_origin_runs_a_pipeline_in_one_call(portal: Portal) -> None:
    reply = await portal.run(RUN)
    assert (reply["status"], reply["start"]) == (200, "%PDF-")
    assert "filename" in reply["disposition"]
    assert reply["requestId"]


async def test_another_origin_can_read_refusals(portal: Portal) -> None:
    reply = await portal.run(RUN, group="ol-marketing")
    assert (reply["status"], reply["code"]) == (403, "not_allowed")


async def test_another_origin_can_read_events(portal: Portal) -> None:
    reply = await portal.run(EVENTS)
    assert "/api/v1/operations/" in reply["location"]
    assert "event: succeeded" in reply["last"]


@pytest.mark.parametrize("portal", [False], indirect=True)
async def test_an_origin_that_is_not_configured_gets_nothing(portal: Portal) -> None:
    from playwright.async_api import Error  # noqa: PLC0415

    with pytest.raises(Error, match="Failed to fetch"):
        await portal.run(RUN)
    assert portal.stage.requests("/workflow") == []

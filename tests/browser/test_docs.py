"""The documentation page, as a frontend developer meets it."""

from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

GROUND = "getComputedStyle(document.documentElement).backgroundColor"


async def _docs(screen: Any) -> Any:
    # Not by the line: the page talks to its own origin only, which is the public URL's.
    await screen.page.goto(f"http://127.0.0.1:{screen.demo.gateway.public.port}/docs")
    await screen.page.get_by_text("Who am I, and what may I do?").wait_for()
    return screen.page


async def test_a_request_can_be_tried_out_with_a_token(screen: Any) -> None:
    page = await _docs(screen)
    await page.locator("button.authorize").click()
    await page.locator("#auth-bearer-value").fill(screen.demo.tokens()["billing"])
    await page.locator(".auth-btn-wrapper .authorize").click()
    await page.locator(".btn-done").click()
    await page.get_by_text("Who am I, and what may I do?").click()
    await page.locator("button.execute").click()
    answer = page.locator(".live-responses-table")
    await answer.wait_for()
    assert "demo-billing" in await answer.inner_text()


async def test_it_follows_the_systems_colours_and_fits_a_phone(screen: Any) -> None:
    page = await _docs(screen)
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    grounds = []
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        grounds.append(await page.evaluate(GROUND))
    assert grounds == ["rgba(0, 0, 0, 0)", "rgb(28, 32, 34)"]

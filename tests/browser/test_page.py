"""The demo page in a browser: the whole way from data to the PDF, and what may go wrong on it."""

import asyncio
import json
import re
from typing import Any

import pytest

from tests.support.stage import end_operations

pytestmark = pytest.mark.asyncio(loop_scope="session")

CSV = b"Customer,Name\nCU1,Jane Doe\nCU2,Amir Haddad\n"
UPLOAD = {"name": "upload.csv", "mimeType": "text/csv", "buffer": CSV}


async def until(page: Any, condition: str) -> None:
    # Not wait_for_function: it evaluates text in the page, which the page's policy forbids.
    async with asyncio.timeout(30):
        while not await page.evaluate(condition):  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # the browser is another program: it can only be asked


def last(screen: Any) -> None:
    """Operations go on until they are ended: the browser may be slow to see them run."""
    screen.demo.simulator.change(operation_seconds=20.0)


async def finish(page: Any, status: str = "Finished") -> None:
    await page.locator("#badge", has_text=status).wait_for()


async def test_an_uploaded_file_becomes_a_pdf_in_the_page(screen: Any) -> None:
    page = screen.page
    await page.set_input_files("#file", UPLOAD)
    await until(page, "document.querySelector('#text').value.includes('Amir Haddad')")
    last(screen)
    await page.click("#start")
    await until(page, "bar.value > 0 && bar.value < 100 && !progress.hidden")
    end_operations(screen.demo.simulator)
    await finish(page)
    await page.locator("#result").wait_for()
    assert (await page.get_attribute("#pdf", "src") or "").startswith("blob:")
    async with page.expect_download() as download:
        await page.click("#download")
    saved = await (await download.value).path()
    content = saved.read_bytes()
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page\n") == 2
    assert await page.locator("#operations li").count() == 1
    assert len(_event_requests(screen)) == 1


async def test_nothing_comes_from_elsewhere(screen: Any) -> None:
    await screen.page.click("#start")
    await finish(screen.page)
    await screen.page.locator("#result").wait_for()
    foreign = [request.url for request in screen.requests if not _own(request.url, screen.url)]
    assert foreign == []


def _own(url: str, origin: str) -> bool:
    # The finished PDF is a blob of the page's own; the viewer itself is part of the browser.
    return url.startswith((f"{origin}/", f"blob:{origin}/", "chrome-extension:", "chrome:"))


async def test_a_run_can_be_canceled(screen: Any) -> None:
    page = screen.page
    last(screen)
    await page.click("#start")
    await page.click("#cancel")
    await finish(page, "Canceled")
    assert await page.locator("#result").is_hidden()
    await page.locator("#operations .badge", has_text="Canceled").wait_for()
    await until(page, "document.activeElement.id === 'start'")


async def test_data_that_cannot_be_read_fails_in_words(screen: Any) -> None:
    page = screen.page
    await page.fill("#text", "a,b\n1\n")
    await page.click("#start")
    await finish(page, "Failed")
    assert "Expected 2 fields" in await page.inner_text("#problem")


async def test_the_other_team_is_told_nothing(screen: Any) -> None:
    page = screen.page
    await page.click("#start")
    await finish(page)
    await page.click("#other-look")
    await page.locator("#other-answer", has_text="404 not_found").wait_for()
    await page.click("#other-run")
    await page.locator("#other-answer", has_text="403 not_allowed").wait_for()
    await page.locator("label", has_text="Marketing").click()
    await page.locator("#pipeline option", has_text="flyer").wait_for(state="attached")
    await page.locator("#no-operations").wait_for()
    assert await page.locator("#pipeline option").all_inner_texts() == ["flyer"]


async def test_a_start_is_tried_again_while_the_first_is_under_way(screen: Any) -> None:
    page = screen.page
    problem = json.dumps({"code": "idempotency_in_progress", "detail": "Wait."})
    answers = [
        lambda route: route.abort(),
        lambda route: route.fulfill(status=409, content_type="application/json", body=problem),
    ]
    keys = []

    async def answer(route: Any) -> None:
        keys.append((await route.request.all_headers())["idempotency-key"])
        await (answers.pop(0)(route) if answers else route.continue_())

    await page.route("**/api/v1/pipelines/*", answer)
    await page.click("#start")
    await finish(page)
    assert len(keys) == 3
    assert len(set(keys)) == 1


async def test_progress_survives_a_lost_connection(screen: Any) -> None:
    page = screen.page
    last(screen)
    await page.click("#start")
    await until(page, "bar.value > 0")
    screen.line.refusing = True
    screen.line.cut()
    await page.locator("#bar-label", has_text="Connection lost").wait_for()
    screen.line.refusing = False
    end_operations(screen.demo.simulator)
    await finish(page)
    await page.locator("#result").wait_for()
    resumed = [await request.all_headers() for request in _event_requests(screen)][-1]
    assert re.fullmatch(r"\S+", resumed["last-event-id"])


def _event_requests(screen: Any) -> list[Any]:
    return [request for request in screen.requests if request.url.endswith("/events")]


async def test_properties_are_changed_unless_somebody_was_faster(screen: Any) -> None:
    page = screen.page
    await page.click("#keep")
    await page.locator("#with-properties").wait_for()
    await page.fill("#property-name", "approved")
    await page.fill("#property-value", "yes")
    await page.click("#property button")
    await page.locator("#properties-note", has_text="Saved").wait_for()
    assert await page.inner_text("#values") == "approved\nyes"
    await page.click("#meddle")
    await page.locator("#properties-note", has_text="colleague").wait_for()
    await page.fill("#property-value", "no")
    await page.click("#property button")
    await page.locator("#properties-note", has_text="Somebody changed").wait_for()
    assert "a colleague" in await page.inner_text("#values")
    assert await page.input_value("#property-value") == "no"
    await page.click("#property button")
    await page.locator("#values dd", has_text=re.compile("^no$")).wait_for()


async def test_an_earlier_operation_can_be_shown_again(screen: Any) -> None:
    page = screen.page
    await page.click("#start")
    await finish(page)
    await page.locator("#result").wait_for()
    await page.reload()
    await page.locator("#operations button").first.click()
    await page.locator("#result").wait_for()

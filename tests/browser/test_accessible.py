"""The demo page for those who do not use a mouse, do not see well, or have a small screen."""

from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

UNNAMED = """() => [...document.querySelectorAll(
    'input, select, textarea, button, a, iframe, progress')]
  .filter((element) => !element.closest('[hidden]'))
  .filter((element) => !(element.labels?.length || element.textContent.trim() || element.title
    || element.getAttribute('aria-label')))
  .map((element) => element.outerHTML)"""

DANGLING = """() => {
  const all = [...document.querySelectorAll('[id]')].map((element) => element.id);
  const named = [...document.querySelectorAll('[for], [aria-labelledby], [aria-describedby]')]
    .flatMap((element) => ['for', 'aria-labelledby', 'aria-describedby']
      .map((name) => element.getAttribute(name)).filter(Boolean));
  return [...named.filter((id) => !all.includes(id)),
          ...all.filter((id, index) => all.indexOf(id) !== index)];
}"""

# WCAG 2.2, 1.4.3: contrast of text against the nearest ground that is painted.
LOW_CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = rgba(getComputedStyle(each).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if ((!own && !element.value) || !element.checkVisibility() || element.disabled) continue;
    const [one, two] = [rgba(getComputedStyle(element).color), ground(element)].map(luminance);
    const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    if (ratio < 4.5) poor.push(`${element.tagName} ${element.textContent} ${ratio.toFixed(2)}`);
  }
  return poor;
}"""

CUT_OFF = """() => [...document.querySelectorAll('button, .button, .card, .note, li')]
  .filter((element) => element.getBoundingClientRect().right > 360)
  .map((element) => element.outerHTML)"""


async def _show_everything(page: Any) -> None:
    await page.click("#keep")
    await page.locator("#with-properties").wait_for()
    await page.click("#meddle")
    await page.locator("#properties-note").wait_for()
    await page.click("#start")
    await page.locator("#result").wait_for()
    await page.click("#other-look")
    await page.locator("#other-answer").wait_for()


async def test_all_that_can_be_shown_is_named_legible_and_fits_a_phone(screen: Any) -> None:
    page = screen.page
    await _show_everything(page)
    assert await page.evaluate(UNNAMED) == []
    assert await page.evaluate(DANGLING) == []
    await page.emulate_media(reduced_motion="reduce")
    assert await page.evaluate("getComputedStyle(start).transitionDuration") == "0s"
    await _stands_out(page)
    await page.set_viewport_size({"width": 360, "height": 740})
    assert await page.evaluate("document.documentElement.scrollWidth") == 360
    assert await page.evaluate(CUT_OFF) == []


async def test_a_failure_is_legible_too(screen: Any) -> None:
    page = screen.page
    await page.emulate_media(reduced_motion="reduce")
    await page.fill("#text", "a,b\n1\n")
    await page.click("#start")
    await page.locator("#badge", has_text="Failed").wait_for()
    await _stands_out(page)


async def _stands_out(page: Any) -> None:
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        assert await page.evaluate(LOW_CONTRAST) == [], scheme


async def test_headings_and_landmarks(screen: Any) -> None:
    page = screen.page
    levels = await page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3')].map((heading) => heading.tagName).join()"
    )
    assert levels.startswith("H1,H2")
    assert levels.count("H1") == 1
    assert await page.get_attribute("html", "lang") == "en"
    assert await page.locator("main, header.bar").count() == 2
    assert await page.get_attribute("#announcer", "role") == "status"
    assert await page.get_attribute("#problem", "role") == "alert"


async def test_the_keyboard_alone_is_enough(screen: Any) -> None:
    page = screen.page
    await _tab_to(page, "input[name=team]:checked")
    await page.keyboard.press("ArrowRight")
    await page.locator("#pipeline option", has_text="flyer").wait_for(state="attached")
    await page.keyboard.press("ArrowLeft")
    await page.locator("#pipeline option", has_text="invoice").wait_for(state="attached")
    await _tab_to(page, "#sample-json")
    await page.keyboard.press("Enter")
    assert '"Jane Doe"' in await page.input_value("#text")
    await _tab_to(page, "#text")
    await page.keyboard.press("Control+A")
    await page.keyboard.type('[{"Name": "Keyboard"}]')
    await _tab_to(page, "#file")
    await _tab_to(page, "#pipeline")
    await _tab_to(page, "#start")
    await page.keyboard.press("Enter")
    await page.locator("#result").wait_for()
    assert "Finished" in await page.inner_text("#announcer")
    await _tab_to(page, "#download")
    async with page.expect_download() as download:
        await page.keyboard.press("Enter")
    assert (await (await download.value).path()).read_bytes().startswith(b"%PDF")


async def _tab_to(page: Any, selector: str) -> None:
    """Forwards only, as focus goes; what is never reached cannot be used."""
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"the Tab key does not lead to {selector}")

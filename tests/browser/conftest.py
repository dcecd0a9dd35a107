"""A real Chromium in front of a real demo; without either, these tests are skipped."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from gateway import demo
from gateway.demo import Demo
from tests.support.ports import free_port

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

OPERATION_SECONDS = 0.6
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Line:
    """The wire between browser and gateway, which a test may cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self.refusing = False

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[int]:
        """Gives the port to call; the line ends with the context."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        async with server:
            yield int(server.sockets[0].getsockname()[1])
            server.close()
            self.cut()

    def cut(self) -> None:
        """Every connection ends as it does when a network goes away."""
        for writer in self._writers:
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        pair = {writer, far_writer}
        self._writers |= pair
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pour(reader, far_writer))
                both.create_task(_pour(far_reader, writer))
        finally:
            self._writers -= pair
            for each in pair:
                each.transport.abort()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        pass
    writer.transport.abort()


@dataclass(frozen=True)
class Screen:
    """The demo page in a browser, the demo behind it, and the line between the two."""

    page: "Page"
    demo: Demo
    line: Line
    url: str
    errors: list[str]  # what the browser complained about
    requests: list[Any]  # that the page made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> "AsyncIterator[Browser]":
    playwright = pytest.importorskip(
        "playwright.async_api", reason="playwright is not installed (dependency group: browser)"
    )
    executable = next(filter(None, map(shutil.which, _NAMES)), None)
    if executable is None:
        pytest.skip(f"no browser found; looked for {', '.join(_NAMES)}")
    async with playwright.async_playwright() as started:
        chromium = await started.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        yield chromium
        await chromium.close()


Open = Callable[..., Any]


@pytest_asyncio.fixture(loop_scope="session")
async def opened(browser: "Browser") -> AsyncIterator[Open]:
    """A function that opens the demo page; its arguments are those of a browser context."""
    async with demo.running(free_port(), free_port()) as running:
        simulator = running.simulator
        simulator.options = replace(simulator.options, operation_seconds=OPERATION_SECONDS)
        line = Line(running.gateway.public.port)
        async with line.laid() as port:
            contexts = []

            async def open_page(**options: Any) -> Screen:
                context = await browser.new_context(**options)
                contexts.append(context)
                page, errors, requests = await context.new_page(), [], []
                page.set_default_timeout(30_000)
                page.on("console", lambda said: errors.append(said.text) if _bad(said) else None)
                page.on("pageerror", lambda error: errors.append(str(error)))
                page.on("request", lambda request: requests.append(request))  # noqa: PLW0108
                url = f"http://127.0.0.1:{port}"
                await page.goto(f"{url}/")
                await page.locator("#pipeline option").first.wait_for(state="attached")
                return Screen(page, running, line, url, errors, requests)

            yield open_page
            for context in contexts:
                await context.close()


def _bad(said: Any) -> bool:
    # Chromium reports each refused or broken request there; the page is expected to handle them.
    return said.type == "error" and "Failed to load resource" not in said.text


@pytest_asyncio.fixture(loop_scope="session")
async def screen(opened: Open) -> AsyncIterator[Screen]:
    screen = await opened(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    yield screen
    assert screen.errors == []

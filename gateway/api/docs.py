"""``/openapi.json`` and ``/docs``: the simplified face described, for programs and for people.

Everything comes from this package; the page asks nobody else for anything.
"""

import asyncio
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic_core import to_json

from gateway import answers
from gateway.api import Handler
from gateway.api.openapi import document
from gateway.front import Passage
from gateway.problems import NotFound
from gateway.rules import caching

_STATIC = Path(__file__).parent / "static"
_SHORTLY = "public, max-age=300"
_LONG = "public, max-age=86400"

_ASSETS: Mapping[str, tuple[str, str]] = {
    "docs.css": ("docs.css", "text/css; charset=utf-8"),
    "docs.js": ("docs.js", "text/javascript; charset=utf-8"),
    "swagger-ui.css": ("swagger-ui/swagger-ui.css.gz", "text/css; charset=utf-8"),
    "swagger-ui-bundle.js": (
        "swagger-ui/swagger-ui-bundle.js.gz",
        "text/javascript; charset=utf-8",
    ),
}
"""By name in the URL: file and media type. Nothing else in the folder can be asked for."""

# Scripts and styles come from files only. The data: images are those in the viewer's style sheet.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Page:
    """Something to show that does not change while the process lives, plain and compressed."""

    media_type: str
    plain: bytes
    compressed: bytes
    digest: str


class Documents:
    """The description is made once: what it says does not change while the process lives."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "api.openapi": self.openapi,
            "api.docs": self.index,
            "api.docs_asset": self.asset,
        }

    async def openapi(self, passage: Passage) -> answers.Answer:
        page = await asyncio.to_thread(_description, self._public_url)
        return _show(passage, page, [("Cache-Control", _SHORTLY)])

    async def index(self, passage: Passage) -> answers.Answer:
        page = await asyncio.to_thread(_file, "docs.html", "text/html; charset=utf-8")
        lines = [
            ("Cache-Control", _SHORTLY),
            ("Content-Security-Policy", _POLICY),
            ("Referrer-Policy", "no-referrer"),
        ]
        return _show(passage, page, lines)

    async def asset(self, passage: Passage) -> answers.Answer:
        """Raises NotFound."""
        known = _ASSETS.get(passage.parameters["asset"])
        if known is None:
            raise NotFound
        page = await asyncio.to_thread(_file, *known)
        return _show(passage, page, [("Cache-Control", _LONG)])


@cache
def _description(public_url: str) -> Page:
    return _page("application/json", to_json(document(public_url)))


@cache
def _file(name: str, media_type: str) -> Page:
    content = (_STATIC / name).read_bytes()
    # The viewer is kept as it is sent, so that nobody's search ends in its minified text.
    return _page(media_type, gzip.decompress(content) if name.endswith(".gz") else content)


def _page(media_type: str, content: bytes) -> Page:
    compressed = gzip.compress(content, mtime=0)
    return Page(media_type, content, compressed, hashlib.sha256(content).hexdigest()[:32])


def _show(passage: Passage, page: Page, lines: answers.Lines) -> answers.Answer:
    """With the coding that the caller takes: another coding, another ETag (RFC 9110 8.8.3.3)."""
    zipped = _takes_gzip(passage.header("Accept-Encoding") or "")
    tag = f'"{page.digest}{"-gz" if zipped else ""}"'
    common = [*lines, ("ETag", tag), ("Vary", "Accept-Encoding")]
    wanted = passage.header("If-None-Match")
    if wanted is not None and caching.matches(wanted, tag):
        return answers.whole(passage.exchange, 304, common, None)
    common += [("Content-Type", page.media_type), ("X-Content-Type-Options", "nosniff")]
    if not zipped:
        return answers.whole(passage.exchange, 200, common, page.plain)
    common.append(("Content-Encoding", "gzip"))
    return answers.whole(passage.exchange, 200, common, page.compressed)


def _takes_gzip(accept_encoding: str) -> bool:
    for element in accept_encoding.lower().split(","):
        coding, _, parameters = element.strip().partition(";")
        if coding.strip() == "gzip":
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False

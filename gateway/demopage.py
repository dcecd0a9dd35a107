"""The demo's one page: its files, and the tokens that a sign-in would give it elsewhere."""

from collections.abc import Callable, Mapping
from pathlib import Path

from gateway import answers, simulator
from gateway.api import Handler
from gateway.front import Passage
from gateway.problems import NotAllowed, UnknownEndpoint

_FOLDER = Path(simulator.__file__).resolve().parent / "page"
_TOKENS = "tokens.json"
_LOOPBACK = frozenset({"127.0.0.1", "localhost"})
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "frame-src blob:",  # the finished PDF, which the browser's viewer shows
        "object-src blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_LINES = [
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
]


class DemoPage:
    """``tokens`` gives a fresh token per team."""

    def __init__(self, tokens: Callable[[], Mapping[str, str]]) -> None:
        self._tokens = tokens
        self._files = {path.name: path.read_bytes() for path in _FOLDER.iterdir()}

    def handlers(self) -> Mapping[str, Handler]:
        return {"api.index": self.index, "api.demo_asset": self.asset}

    async def index(self, passage: Passage) -> answers.Answer:
        return self._file(passage, "index.html")

    async def asset(self, passage: Passage) -> answers.Answer:
        """Raises UnknownEndpoint, NotAllowed."""
        name = passage.parameters["asset"]
        return self._give_tokens(passage) if name == _TOKENS else self._file(passage, name)

    def _give_tokens(self, passage: Passage) -> answers.Answer:
        # A name that a foreign page lets point at loopback would make these answers its own.
        if (passage.header("Host") or "").partition(":")[0] not in _LOOPBACK:
            raise NotAllowed("The demo's tokens are only for pages on this machine.")
        teams = [{"name": name, "token": token} for name, token in self._tokens().items()]
        return answers.json(passage.exchange, {"teams": teams}, lines=_LINES)

    def _file(self, passage: Passage, name: str) -> answers.Answer:
        content = self._files.get(name)
        if content is None:
            raise UnknownEndpoint("The demo page has no such file.")
        media_type = _MEDIA_TYPES.get(Path(name).suffix, "application/octet-stream")
        lines = [("Content-Type", media_type), *_LINES]
        return answers.whole(passage.exchange, 200, lines, content)


# Not by mimetypes: on Windows the registry decides there what a .js file is.
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

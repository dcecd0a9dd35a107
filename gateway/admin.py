"""The operators' listener: metrics, and whether the gateway lives and is ready."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from gateway import exposition, merging
from gateway.families import Registry

_TEXT = "text/plain; charset=utf-8"
_QUALITY = re.compile(r";\s*q=([01](?:\.[0-9]{0,3})?)\s*(?=;|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of being ready: its name, and whether it holds now."""

    name: str
    holds: Callable[[], Awaitable[bool]]


class Admin:
    """Answers ``/metrics``, ``/livez`` and ``/readyz``; everything else is 404.

    A worker's has ``/snapshot`` for its supervisor as well. ``gathered`` gives the metrics.
    """

    def __init__(
        self,
        gathered: Callable[[], Awaitable[Registry]],
        checks: Sequence[Check],
        *,
        is_worker: bool = False,
    ) -> None:
        self._gathered = gathered
        self._checks = checks
        self._is_worker = is_worker

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return _text(405, "method not allowed\n", {"Allow": "GET, HEAD"})
        match request.path:
            case "/metrics":
                return await self._metrics(request)
            case "/snapshot" if self._is_worker:
                return web.Response(body=merging.snapshot(await self._gathered()))
            case "/livez":
                return _text(200, "ok\n")
            case "/readyz":
                return await self._ready("verbose" in request.query)
            case _:
                return _text(404, "not found\n")

    async def _metrics(self, request: web.BaseRequest) -> web.Response:
        registry = await self._gathered()
        encode, content_type = choose_encoder(_wanted(request.headers.get("Accept", "")))
        if content_type.endswith(("escaping=dots", "escaping=values")):
            # For none but those who ask for it: the library writes it, at its own pace.
            body = encode(registry)
        elif content_type.startswith("application/openmetrics-text"):
            body = exposition.open_metrics(registry.families)
        else:
            body = exposition.text(registry.families)
        return web.Response(
            body=body,
            headers={"Content-Type": content_type, "Vary": "Accept"},
        )

    async def _ready(self, verbose: bool) -> web.Response:
        results = [(check.name, await _holds(check)) for check in self._checks]
        ready = all(holds for _, holds in results)
        lines = [f"[{'+' if holds else '-'}] {name}" for name, holds in results]
        summary = "ready" if ready else "not ready"
        text = "\n".join([*lines, summary] if verbose or not ready else [summary])
        return _text(200 if ready else 503, text + "\n")


def _wanted(accept: str) -> str:
    """What a scraper accepts, the best first, down to plain text (RFC 9110 section 12.5.1).

    The library reads in the order given, and past plain text, which it takes for the last resort.
    """
    wanted = []
    for accepted in sorted(accept.split(","), key=_quality, reverse=True):
        if _quality(accepted) > 0:
            wanted.append(accepted)
        if accepted.partition(";")[0].strip() == "text/plain":
            break
    return ",".join(wanted)


def _quality(accepted: str) -> float:
    stated = _QUALITY.search(accepted)
    return 1.0 if stated is None else float(stated[1])


async def _holds(check: Check) -> bool:
    try:
        return await check.holds()
    except Exception:
        # Whatever keeps a check from being answered: not ready is the only safe reading of it.
        return False


def _text(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    lines = {"Content-Type": _TEXT, "Cache-Control": "no-store", **(headers or {})}
    return web.Response(status=status, body=text.encode(), headers=lines)


def refused(_problem: object) -> web.Response:
    """What a malformed request to this listener is answered."""
    return _text(400, "bad request\n")

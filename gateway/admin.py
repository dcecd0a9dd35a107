"""The operators' listener: metrics, and whether the gateway lives and is ready."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, repeat

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.utils import floatToGoString

from gateway import merging
from gateway.metrics import Count, Counter, Distribution, Gauge, Histogram, Registry

_TEXT = "text/plain; charset=utf-8"
_BOUND = "\0"  # stands for a bucket's bound; no label has it


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
        gathered: Callable[[], Awaitable[CollectorRegistry]],
        checks: Sequence[Check],
        *,
        is_worker: bool = False,
    ) -> None:
        self._gathered = gathered
        self._checks = checks
        self._is_worker = is_worker
        self._exposition = Exposition()

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
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        # Names escaped in another way are for none but those who ask: the library writes them.
        is_plain = not content_type.endswith(("escaping=dots", "escaping=values"))
        if isinstance(registry, Registry) and is_plain:
            is_open = content_type.startswith("application/openmetrics-text")
            write = self._exposition.open_metrics if is_open else self._exposition.text
            body = write(registry.families)
        else:
            body = encode(registry)
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


@dataclass(frozen=True, slots=True)
class _Form:
    """What of a series' lines never changes. ``lines`` is a %-format of the rest."""

    lines: str
    created: str


class Exposition:
    """Writes families out as the metrics library does, byte for byte, in a tenth of its time.

    Its generators render names and labels anew for each sample. Here a series is rendered once.
    """

    def __init__(self) -> None:
        self._forms: dict[Count | Distribution, _Form] = {}

    def text(self, families: Iterable[Counter | Gauge | Histogram]) -> bytes:
        """Prometheus' text format 0.0.4, which knows no exemplars."""
        output: list[str] = []
        for family in families:
            series = self._series(family)
            suffix = "_total" if isinstance(family, Counter) else ""
            output.append(_opening(family, suffix, family.kind))
            output += (form.lines % _values(child, is_open=False) for form, child in series)
            if series and not isinstance(family, Gauge):
                output.append(_opening(family, "_created", "gauge"))
                output += (form.created for form, _ in series)
        return "".join(output).encode()

    def open_metrics(self, families: Iterable[Counter | Gauge | Histogram]) -> bytes:
        """OpenMetrics 1.0, with exemplars."""
        output: list[str] = []
        for family in families:
            output.append(_opening(family, "", family.kind))
            for form, child in self._series(family):
                output += (form.lines % _values(child, is_open=True), form.created)
        return "".join((*output, "# EOF\n")).encode()

    def _series(
        self, family: Counter | Gauge | Histogram
    ) -> list[tuple[_Form, Count | Distribution]]:
        series: list[tuple[_Form, Count | Distribution]] = []
        for values, child in family.children.items():
            form = self._forms.get(child)
            if form is None:
                labels = dict(zip(family.label_names, values, strict=True))
                form = self._forms[child] = _form(family, labels, child)
            series.append((form, child))
        return series


def _opening(family: Counter | Gauge | Histogram, suffix: str, kind: str) -> str:
    # The metrics' descriptions are ours: there is nothing in them to be escaped.
    name = family.name + suffix
    return f"# HELP {name} {family.text}\n# TYPE {name} {kind}\n"


def _form(
    family: Counter | Gauge | Histogram, labels: dict[str, str], child: Count | Distribution
) -> _Form:
    name, own = family.name, _braced(labels)
    created = f"{name}_created{own} {_number(child.created)}\n"
    literal = own.replace("%", "%%")
    match family:
        case Counter():
            return _Form(f"{name}_total{literal} %s\n", created)
        case Gauge():
            return _Form(f"{name}{literal} %s\n", "")
    bucket = _braced({**labels, "le": _BOUND}).replace("%", "%%")
    lines = [
        f"{name}_bucket{bucket.replace(_BOUND, bound)} %d.0%s\n" for bound in family.bound_names
    ]
    lines += f"{name}_count{literal} %d.0\n", f"{name}_sum{literal} %s\n"
    return _Form("".join(lines), created)


def _braced(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(labels[name])}"' for name in sorted(labels)) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _values(child: Count | Distribution, *, is_open: bool) -> tuple[str | int, ...]:
    """What ``_Form.lines`` lacks."""
    if isinstance(child, Count):
        return (_number(child.value),)
    exemplars: Iterator[str] = _exemplars(child) if is_open else repeat("")
    buckets: Iterator[int | str] = chain.from_iterable(
        zip(accumulate(child.counts), exemplars, strict=False)
    )
    return (*buckets, sum(child.counts), _number(child.sum))


def _exemplars(child: Distribution) -> Iterator[str]:
    for seen in child.exemplars:
        if seen is None:
            yield ""
        else:
            labels, value, timestamp = seen
            yield f" # {_braced(labels)} {_number(value)} {timestamp}"


def _number(value: float) -> str:
    # Only beyond a million do Go and Python write a number differently.
    if -1e6 < value < 1e6:
        return repr(value)
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]

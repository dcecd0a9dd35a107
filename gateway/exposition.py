"""Prometheus' text format and OpenMetrics, as the metrics library writes them, much cheaper.

The library renders names and labels anew for each sample. Here a series comes with its lines.
"""

from collections.abc import Iterable
from itertools import accumulate, chain, repeat

from prometheus_client.utils import floatToGoString

from gateway.families import Count, Counter, Distribution, Gauge, Histogram

Families = Iterable[Counter | Gauge | Histogram]


def text(families: Families) -> bytes:
    """The text format 0.0.4, which knows no exemplars."""
    return "".join(_written(families, is_open=False)).encode()


def open_metrics(families: Families) -> bytes:
    return "".join((*_written(families, is_open=True), "# EOF\n")).encode()


def _written(families: Families, *, is_open: bool) -> Iterable[str]:
    for family in families:
        suffix = "_total" if isinstance(family, Counter) and not is_open else ""
        # The metrics' descriptions are ours: there is nothing in them to be escaped.
        yield f"# HELP {family.name}{suffix} {family.text}\n"
        yield f"# TYPE {family.name}{suffix} {family.kind}\n"
        for child in family.children.values():
            yield child.lines % _numbers(child, is_open=is_open)


def _numbers(child: Count | Distribution, *, is_open: bool) -> tuple[str | int, ...]:
    if isinstance(child, Count):
        return (_number(child.value),)
    counts: tuple[str | int, ...] = tuple(accumulate(child.counts))
    exemplars = _exemplars(child) if is_open else repeat("", len(counts))
    buckets = chain.from_iterable(zip(counts, exemplars, strict=True))
    return (*buckets, counts[-1], _number(child.sum))


def _exemplars(child: Distribution) -> list[str]:
    return ["" if seen is None else _exemplar(*seen) for seen in child.exemplars]


def _exemplar(trace_id: str, value: float, timestamp: float) -> str:
    return f' # {{trace_id="{trace_id}"}} {_number(value)} {timestamp}'


def _number(value: float) -> str:
    # Only beyond a million do Go and Python write a number differently.
    if -1e6 < value < 1e6:
        return repr(value)
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]

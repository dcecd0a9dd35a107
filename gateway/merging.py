"""The metrics of several worker processes as those of one gateway.

Workers hand out what they have counted; the supervisor adds it up. That keeps what the metrics
library's own multi-process mode gives up: exemplars, registries beside the global one, and no
files on disk.
"""

from collections import Counter as Counting
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import add
from time import monotonic
from typing import Any

from pydantic_core import from_json, to_json

from gateway.families import Child, Counter, Gauge, Histogram, Registry
from gateway.metrics import Metrics

Part = dict[str, list[list[Any]]]
"""What one process has counted, as JSON has it: of each family the labels of its series, and then
their numbers, by columns. It is read in half the time that a row for each series would take."""

SAME_IN_ALL_WORKERS = frozenset(
    {
        "olgw_build_info",
        "olgw_cache_bytes",  # workers share a store, hence a cache, and the operations
        "olgw_cache_entries",
        "olgw_jwks_age_seconds",
        "olgw_operations_running",
    }
)
"""Gauges that are not added up: of several workers, the largest counts."""
WORST_OF_ALL_WORKERS = frozenset({"olgw_config_last_reload_successful"})
"""Gauges of which the smallest counts."""

_SEPARATOR = " "  # of a series' labels: names from the catalogue and the configuration have none
_NANOSECONDS = 1_000_000_000


def snapshot(registry: Registry) -> bytes:
    """For ``read``: a part, and when it was taken, by a clock of this process."""
    return to_json((monotonic(), part_of(registry)))


def read(content: bytes) -> tuple[float, Part]:
    taken_at, part = from_json(content)
    return taken_at, part


def part_of(registry: Registry) -> Part:
    return {
        family.name: [
            [_SEPARATOR.join(labels) for labels in family.children],
            *(_distributions(family) if isinstance(family, Histogram) else _values(family)),
        ]
        for family in registry.families
    }


def _values(family: Counter | Gauge) -> list[list[Any]]:
    return [[child.value for child in family.children.values()]]


def _distributions(family: Histogram) -> list[list[Any]]:
    children = family.children.values()
    exemplars = [
        (number, bucket, *seen)
        for number, child in enumerate(children)
        for bucket, seen in enumerate(child.exemplars)
        if seen is not None
    ]
    return [
        list(chain.from_iterable(child.counts for child in children)),
        # Whole numbers add up to the same in any order. Fractions need not, and a sum that falls,
        # by however little, is read as one that has begun anew.
        [round(child.sum * _NANOSECONDS) for child in children],
        *map(list, zip(*exemplars, strict=True)),
    ]


def accumulated(registry: Registry) -> Part:
    """What must outlive the process that counted it: a sum that falls would look like traffic."""
    gauges = {family.name for family in registry.families if isinstance(family, Gauge)}
    return {name: columns for name, columns in part_of(registry).items() if name not in gauges}


class Total:
    """Adds parts up, each time in the same registry, whose series are known from the last time."""

    def __init__(self) -> None:
        self._registry = Metrics().registry
        self._sums = {family.name: _sum_in(family) for family in self._registry.families}

    def of(self, parts: Iterable[Part]) -> Registry:
        for each in self._sums.values():
            each.clear()
        for part in parts:
            for name, columns in part.items():
                # A worker that came after the gateway was upgraded may know of others.
                if name in self._sums:
                    self._sums[name].add(*columns)
        return self._registry


def _sum_in(family: Counter | Gauge | Histogram) -> "_Counts | _Gauges | _Distributions":
    match family:
        case Counter():
            return _Counts(family)
        case Gauge():
            return _Gauges(family)
        case Histogram():
            return _Distributions(family)


class _Series(dict[str, Child]):
    """The children of a family by their labels as one text; asked for one, it makes it."""

    def __init__(self, labels: Callable[..., Child]) -> None:
        super().__init__()
        self._labels: Callable[..., Child] = labels

    def __missing__(self, key: str) -> Child:
        child = self[key] = self._labels(*(key.split(_SEPARATOR) if key else ()))
        return child


class _Counts:
    def __init__(self, family: Counter) -> None:
        self._series = _Series(family.labels)

    def clear(self) -> None:
        for child in self._series.values():
            child.value = 0.0

    def add(self, keys: Iterable[str], values: Iterable[float]) -> None:
        for key, value in zip(keys, values, strict=True):
            self._series[key].value += value


class _Gauges:
    def __init__(self, family: Gauge) -> None:
        self._family = family
        self._series = _Series(family.labels)
        self._join: Callable[[float, float], float] = add
        if family.name in SAME_IN_ALL_WORKERS:
            self._join = max
        elif family.name in WORST_OF_ALL_WORKERS:
            self._join = min

    def clear(self) -> None:
        """There is none of a worker that has died."""
        self._family.children.clear()
        self._series.clear()

    def add(self, keys: Iterable[str], values: Iterable[float]) -> None:
        for key, value in zip(keys, values, strict=True):
            child = self._series.get(key)
            if child is None:
                self._series[key].value = value
            else:
                child.value = self._join(child.value, value)


class _Distributions:
    def __init__(self, family: Histogram) -> None:
        self._series = _Series(family.labels)
        self._nanoseconds = Counting[str]()
        self._width = len(family.bound_names)

    def clear(self) -> None:
        self._nanoseconds.clear()
        for child in self._series.values():
            child.counts, child.sum = [0] * len(child.counts), 0.0

    def add(
        self,
        keys: Sequence[str],
        counts: Sequence[int],
        nanoseconds: Iterable[int],
        *exemplars: Iterable[Any],
    ) -> None:
        children = [self._series[key] for key in keys]
        begins = range(0, len(counts), self._width)
        for key, child, begin, more in zip(keys, children, begins, nanoseconds, strict=True):
            child.counts = list(map(add, child.counts, counts[begin : begin + self._width]))
            self._nanoseconds[key] += more
            child.sum = self._nanoseconds[key] / _NANOSECONDS
        for number, bucket, trace_id, value, seen_at in zip(*exemplars, strict=True):
            shown = children[number].exemplars
            known = shown[bucket]
            if known is None or known[2] < seen_at:
                shown[bucket] = trace_id, value, seen_at

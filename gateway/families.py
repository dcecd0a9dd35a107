"""Metrics by their labels' values, for one thread: nothing is locked."""

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import partial
from time import time
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from gateway import lines


class Count:
    """A counter's or gauge's value for one set of labels."""

    __slots__ = ("lines", "value")

    def __init__(self) -> None:
        self.lines = ""
        self.value = 0.0

    def inc(self, amount: float = 1) -> None:
        self.value += amount

    def set(self, value: float) -> None:
        self.value = float(value)


Seen = tuple[str, float, float]
"""An exemplar: the trace's id, what was observed, and when."""


class Distribution:
    """A histogram's values for one set of labels. ``counts`` are per bucket, not cumulative."""

    __slots__ = ("bounds", "counts", "exemplars", "lines", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.lines = ""
        self.bounds = bounds
        self.counts = [0] * len(bounds)
        self.exemplars: list[Seen | None] = [None] * len(bounds)
        self.sum = 0.0

    def observe(self, amount: float, trace_id: str | None = None) -> None:
        self.sum += amount
        bucket = bisect_left(self.bounds, amount)
        self.counts[bucket] += 1
        if trace_id:
            self.exemplars[bucket] = trace_id, amount, time()


Child = TypeVar("Child", Count, Distribution)


class Family(MetricWrapperBase, Generic[Child]):
    """A metric with its children by their labels' values. For one thread: nothing is locked.

    The library's own children take a lock per value, which costs more than what it guards. Nor has
    any a ``_created`` sample: Prometheus would keep twice the series, and nobody asks for them.
    """

    _new: Callable[[], Child]
    _only: Child  # of a metric without labels

    def __init__(
        self, name: str, text: str, labels: tuple[str, ...], registry: CollectorRegistry
    ) -> None:
        self.children: dict[tuple[str, ...], Child] = {}
        self.name = name.removesuffix("_total")
        self.kind, self.text, self.label_names = str(self._type), text, labels
        super().__init__(name, text, labels, registry=registry)

    def _metric_init(self) -> None:
        """Called for a metric without labels: it is there before it has counted anything."""
        self._only = self.labels()

    def labels(self, *values: str) -> Child:  # type: ignore[override]
        child = self.children.get(values)
        if child is None:
            if len(values) != len(self.label_names):
                raise ValueError(f"{self.name} has the labels {self.label_names}, not {values}")
            child = self.children[values] = self._new()
            child.lines = self._lines(tuple(zip(self.label_names, values, strict=True)))
        return child

    def collect(self) -> Iterator[Metric]:
        metric = Metric(self.name, self.text, self.kind)
        for values, child in self.children.items():
            self._add(metric, dict(zip(self.label_names, values, strict=True)), child)
        yield metric

    @abstractmethod
    def _lines(self, labels: lines.Labels) -> str:
        """How a child is written, but for its numbers."""

    @abstractmethod
    def _add(self, metric: Metric, labels: dict[str, str], child: Child) -> None:
        """Put the child's samples into ``metric``."""


class Counter(Family[Count]):
    _type = "counter"
    _new = Count

    def inc(self, amount: float = 1) -> None:
        self._only.value += amount

    def _lines(self, labels: lines.Labels) -> str:
        return lines.of_value(f"{self.name}_total", labels)

    def _add(self, metric: Metric, labels: dict[str, str], child: Count) -> None:
        metric.add_sample(f"{self.name}_total", labels, child.value)


class Gauge(Family[Count]):
    _type = "gauge"
    _new = Count

    def inc(self, amount: float = 1) -> None:
        self._only.value += amount

    def dec(self) -> None:
        self._only.value -= 1

    def set(self, value: float) -> None:
        self._only.set(value)

    def _lines(self, labels: lines.Labels) -> str:
        return lines.of_value(self.name, labels)

    def _add(self, metric: Metric, labels: dict[str, str], child: Count) -> None:
        metric.add_sample(self.name, labels, child.value)


class Histogram(Family[Distribution]):
    _type = "histogram"

    def __init__(
        self,
        name: str,
        text: str,
        labels: tuple[str, ...],
        registry: CollectorRegistry,
        buckets: tuple[float, ...],
    ) -> None:
        bounds = (*buckets, float("inf"))
        self.bound_names = [str(floatToGoString(bound)) for bound in bounds]  # type: ignore[no-untyped-call]
        self._new = partial(Distribution, bounds)
        super().__init__(name, text, labels, registry)

    def _lines(self, labels: lines.Labels) -> str:
        return lines.of_distribution(self.name, labels, self.bound_names)

    def _add(self, metric: Metric, labels: dict[str, str], child: Distribution) -> None:
        name, total = f"{self.name}_bucket", 0.0
        for bound, count, seen in zip(self.bound_names, child.counts, child.exemplars, strict=True):
            total += count
            exemplar = None if seen is None else Exemplar({"trace_id": seen[0]}, *seen[1:])
            metric.add_sample(name, {**labels, "le": bound}, total, None, exemplar)
        metric.add_sample(f"{self.name}_count", labels, total)
        metric.add_sample(f"{self.name}_sum", labels, child.sum)


class Registry(CollectorRegistry):
    """Knows its families, for those to whom going through every sample takes too long."""

    def __init__(self) -> None:
        super().__init__(auto_describe=True)
        self.families: list[Counter | Gauge | Histogram] = []

    def register(self, collector: Collector) -> None:
        super().register(collector)
        if isinstance(collector, Counter | Gauge | Histogram):
            self.families.append(collector)

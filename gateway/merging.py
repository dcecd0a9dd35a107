"""The metrics of several worker processes as those of one gateway.

Workers hand out snapshots; the supervisor adds them up. That keeps what the metrics library's own
multi-process mode gives up: exemplars, registries beside the global one, and no files on disk.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample
from pydantic_core import from_json, to_json

Families = dict[str, Metric]
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
_ACCUMULATING = frozenset({"counter", "histogram"})


def snapshot(registry: CollectorRegistry) -> bytes:
    """All families of a registry, as JSON for ``families_of``."""
    return to_json(
        [
            (family.name, family.documentation, family.type, [_sample(s) for s in family.samples])
            for family in registry.collect()
        ]
    )


def _sample(sample: Sample) -> tuple[Any, ...]:
    seen = sample.exemplar
    exemplar = None if seen is None else (seen.labels, seen.value, seen.timestamp)
    return sample.name, sample.labels, sample.value, exemplar


def families_of(content: bytes) -> Families:
    families = {}
    for name, documentation, kind, samples in from_json(content):
        families[name] = family = Metric(name, documentation, kind)
        for sample, labels, value, seen in samples:
            exemplar = None if seen is None else Exemplar(*seen)
            family.samples.append(Sample(sample, labels, value, None, exemplar))
    return families


def merged(parts: Iterable[Families]) -> Families:
    """The sum of counters and histograms; of gauges too, unless ``metrics`` says otherwise."""
    whole: dict[str, Metric] = {}
    samples: dict[str, dict[tuple[Any, ...], Sample]] = {}
    for family in (family for part in parts for family in part.values()):
        known = samples.setdefault(family.name, {})
        whole.setdefault(family.name, Metric(family.name, family.documentation, family.type))
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.items()))
            earlier = known.get(key)
            known[key] = sample if earlier is None else _together(family, earlier, sample)
    for name, family in whole.items():
        family.samples = list(samples[name].values())
    return whole


def accumulated(families: Families) -> Families:
    """What must outlive the process that counted it: a sum that falls would look like traffic."""
    return {name: family for name, family in families.items() if family.type in _ACCUMULATING}


def _together(family: Metric, one: Sample, other: Sample) -> Sample:
    return one._replace(
        value=_value(family, one, other),
        exemplar=max(
            (seen for seen in (one.exemplar, other.exemplar) if seen is not None),
            key=lambda seen: seen.timestamp or 0.0,
            default=None,
        ),
    )


def _value(family: Metric, one: Sample, other: Sample) -> float:
    if one.name.endswith("_created") or family.name in WORST_OF_ALL_WORKERS:
        return min(one.value, other.value)
    if family.name in SAME_IN_ALL_WORKERS:
        return max(one.value, other.value)
    return one.value + other.value


class Collected(Collector):
    """Families at hand, in the form that the exposition formats want."""

    def __init__(self, families: Families) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families.values()


def registry_of(families: Families) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Collected(families))
    return registry

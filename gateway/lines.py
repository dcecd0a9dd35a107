"""The lines of a metric's series in Prometheus' formats, as %-formats that lack its numbers.

They are rendered when a series is made, so that no scrape has to do it for all of them at once.
"""

from collections.abc import Iterable
from functools import lru_cache

_BOUND = 'le="\0"'  # stands for a bucket's label

Labels = Iterable[tuple[str, str]]


def of_value(name: str, labels: Labels) -> str:
    """Of a counter or gauge."""
    return f"{name}{_braced(_pairs(labels))} %s\n"


def of_distribution(name: str, labels: Labels, bounds: Iterable[str]) -> str:
    """Of a histogram. After each bucket's number there is room for an exemplar."""
    pairs = _pairs(labels)
    before, _, after = _braced([*pairs, _BOUND]).partition(_BOUND)
    lines = [f'{name}_bucket{before}le="{bound}"{after} %d.0%s\n' for bound in bounds]
    own = _braced(pairs)
    return "".join((*lines, f"{name}_count{own} %d.0\n", f"{name}_sum{own} %s\n"))


def _pairs(labels: Labels) -> list[str]:
    return [_pair(name, value) for name, value in labels]


def _braced(pairs: list[str]) -> str:
    return f"{{{','.join(sorted(pairs))}}}" if pairs else ""


@lru_cache(maxsize=10_000)
def _pair(name: str, value: str) -> str:
    value = value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"").replace("%", "%%")
    return f'{name}="{value}"'

"""Prometheus' text format and OpenMetrics, written as the metrics library does, much cheaper.

The library renders names and labels anew for each sample. Here a series' lines are rendered when
it is first written, all but their numbers.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate, chain

from prometheus_client.utils import floatToGoString

from gateway.metrics import Count, Counter, Distribution, Gauge, Histogram

_Family = Counter | Gauge | Histogram

_BOUND = 'le="\0"'  # stands for a bucket's label


class Exposition:
    """Writes families in one of the two formats. Of these only OpenMetrics knows exemplars."""

    def __init__(self, *, is_open: bool) -> None:
        self._is_open = is_open
        self._forms: dict[str, dict[tuple[str, ...], str]] = {}

    def write(self, families: Iterable[_Family]) -> bytes:
        output: list[str] = []
        for family in families:
            forms = self._forms.setdefault(family.name, {})
            output.append(self._opening(family))
            for labels, child in family.children.items():
                form = forms.get(labels)
                if form is None:
                    form = forms[labels] = self._form(family, labels)
                output.append(form % self._numbers(child))
        if self._is_open:
            output.append("# EOF\n")
        return "".join(output).encode()

    def _opening(self, family: _Family) -> str:
        # The metrics' descriptions are ours: there is nothing in them to be escaped.
        is_suffixed = isinstance(family, Counter) and not self._is_open
        name = family.name + ("_total" if is_suffixed else "")
        return f"# HELP {name} {family.text}\n# TYPE {name} {family.kind}\n"

    def _form(self, family: _Family, labels: tuple[str, ...]) -> str:
        """A %-format of the series' lines, which lacks their numbers."""
        name = family.name
        pairs = [_pair(*label) for label in sorted(zip(family.label_names, labels, strict=True))]
        own = f"{{{','.join(pairs)}}}" if pairs else ""
        match family:
            case Counter():
                return f"{name}_total{own} %s\n"
            case Gauge():
                return f"{name}{own} %s\n"
        before, _, after = ",".join(sorted((*pairs, _BOUND))).partition(_BOUND)
        start, number = f"{name}_bucket{{{before}", "%d.0%s" if self._is_open else "%d.0"
        lines = [f'{start}le="{bound}"{after}}} {number}\n' for bound in family.bound_names]
        return "".join((*lines, f"{name}_count{own} %d.0\n", f"{name}_sum{own} %s\n"))

    def _numbers(self, child: Count | Distribution) -> tuple[str | int, ...]:
        if isinstance(child, Count):
            return (_number(child.value),)
        counts: tuple[str | int, ...] = tuple(accumulate(child.counts))
        if not self._is_open:
            return (*counts, counts[-1], _number(child.sum))
        exemplars = ["" if seen is None else _exemplar(*seen) for seen in child.exemplars]
        buckets = chain.from_iterable(zip(counts, exemplars, strict=True))
        return (*buckets, counts[-1], _number(child.sum))


@lru_cache(maxsize=10_000)
def _pair(name: str, value: str) -> str:
    """A label, in a line that is a %-format."""
    value = value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"").replace("%", "%%")
    return f'{name}="{value}"'


def _exemplar(trace_id: str, value: float, timestamp: float) -> str:
    return f' # {{trace_id="{trace_id}"}} {_number(value)} {timestamp}'


def _number(value: float) -> str:
    # Only beyond a million do Go and Python write a number differently.
    if -1e6 < value < 1e6:
        return repr(value)
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]

"""Every metric's name, labels and meaning (contract section 8), and how an exchange is counted.

Labels come from the catalogue and the configuration only: no caller can make a series.
"""

from collections import Counter as Counting
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway import __version__
from gateway.exchange import Exchange
from gateway.families import Count, Counter, Distribution, Gauge, Histogram, Registry
from gateway.operation import Operation

# From a cache hit to the longest read timeout that is sensible.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_OPERATION_SECONDS = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_REQUEST = ("endpoint", "method")


class _Alike(NamedTuple):
    """What exchanges that are counted alike have in common."""

    endpoint: str
    method: str
    status: int
    source: str
    problem: str | None
    team: str | None


class Counts:
    """Where exchanges that are alike are counted: their durations, and what goes up by one.

    The others are looked up when there is something to count: there are no series without.
    """

    __slots__ = (
        "_bytes_in",
        "_bytes_out",
        "_labels",
        "_metrics",
        "_once",
        "_seconds",
        "_upstream_seconds",
    )

    def __init__(self, metrics: "Metrics", labels: tuple[str, str], once: Sequence[Count]) -> None:
        self._metrics = metrics
        self._labels = labels  # endpoint and method
        self._once = once
        self._seconds = metrics.request_seconds.labels(*labels)
        self._upstream_seconds: Distribution | None = None
        self._bytes_in: Count | None = None
        self._bytes_out: Count | None = None

    def add(self, exchange: Exchange, seconds: float) -> None:
        """Count one exchange that has ended. ``seconds`` is its whole duration."""
        trace_id = exchange.traceparent[3:35]
        self._seconds.observe(seconds, trace_id)
        for count in self._once:
            count.value += 1
        if exchange.upstream_seconds:
            if self._upstream_seconds is None:
                self._upstream_seconds = self._metrics.upstream_seconds.labels(*self._labels)
            self._upstream_seconds.observe(exchange.upstream_seconds, trace_id)
        if exchange.bytes_in:
            if self._bytes_in is None:
                self._bytes_in = self._metrics.request_bytes.labels(self._labels[0])
            self._bytes_in.value += exchange.bytes_in
        if exchange.bytes_out:
            if self._bytes_out is None:
                self._bytes_out = self._metrics.response_bytes.labels(self._labels[0])
            self._bytes_out.value += exchange.bytes_out


class Metrics:
    """One registry with everything in it; no global state, so several can live side by side."""

    def __init__(self) -> None:
        self.registry = registry = Registry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"olgw_{name}", text, labels, registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"olgw_{name}", text, labels, registry)

        def histogram(
            name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]
        ) -> Histogram:
            return Histogram(f"olgw_{name}", text, labels, registry, buckets)

        self.requests = counter(
            "requests_total",
            "Requests by endpoint, method, status code and who made the answer.",
            *_REQUEST,
            "code",
            "source",
        )
        self.request_seconds = histogram(
            "request_duration_seconds", "From request head to answer's end.", _REQUEST, _SECONDS
        )
        self.upstream_seconds = histogram(
            "upstream_duration_seconds",
            "Waiting for the heads of OL Connect's answers, per request.",
            _REQUEST,
            _SECONDS,
        )
        self.problems = counter(
            "problems_total", "Refusals by endpoint and problem code.", "endpoint", "problem"
        )
        self.in_flight = gauge("requests_in_flight", "Requests being answered now.")
        self.request_bytes = counter(
            "request_body_bytes_total", "Bytes of request bodies taken in.", "endpoint"
        )
        self.response_bytes = counter(
            "response_body_bytes_total", "Bytes of answers' bodies handed out.", "endpoint"
        )
        self.team_requests = counter(
            "team_requests_total", "Requests by team and class of status.", "team", "code_class"
        )
        self.authentications = counter(
            "authentications_total", "Tokens judged, by issuer and outcome.", "issuer", "result"
        )
        self.jwks_fetches = counter(
            "jwks_fetches_total", "Key sets fetched, by issuer and outcome.", "issuer", "result"
        )
        self.jwks_age = gauge("jwks_age_seconds", "Age of the key set in use, by issuer.", "issuer")
        self.logins = counter(
            "upstream_logins_total",
            "Logins at OL Connect, by credential and outcome.",
            "credential",
            "result",
        )
        self.breaker_state = gauge(
            "upstream_breaker_state",
            "Whether calls reach OL Connect: 0 all do, 1 a probe is out, 2 none does.",
        )
        self.cache_requests = counter(
            "cache_requests_total", "Reads through the property cache, by outcome.", "result"
        )
        self.cache_entries = gauge("cache_entries", "Entries in the property cache.")
        self.cache_bytes = gauge("cache_bytes", "Bytes in the property cache.")
        self.cache_invalidations = counter(
            "cache_invalidations_total", "Times a write made cached entries unusable."
        )
        self.operations_started = counter(
            "operations_started_total", "Operations begun.", "service", "team"
        )
        self.operations_finished = counter(
            "operations_finished_total",
            "Operations ended, by how they ended.",
            "service",
            "team",
            "status",
        )
        self.operations_running = gauge(
            "operations_running", "Operations running now.", "service", "team"
        )
        self.operation_seconds = histogram(
            "operation_duration_seconds",
            "From start to end of an operation.",
            ("service", "team"),
            _OPERATION_SECONDS,
        )
        self.reloads = counter("config_reloads_total", "Configuration reloads.", "result")
        self.last_reload_successful = gauge(
            "config_last_reload_successful", "1 if the last reload was taken over."
        )
        self.build_info = gauge("build_info", "Always 1; the version is the label.", "version")
        self._running: set[tuple[str, str]] = set()
        self._counts: dict[_Alike, Counts] = {}
        for result in ("success", "failure"):
            self.reloads.labels(result)
        self.build_info.labels(__version__).set(1)
        self.last_reload_successful.set(1)

    def counts_of(self, exchange: Exchange) -> Counts:
        """What all exchanges of these labels count in, looked up once."""
        problem = None if exchange.problem is None else exchange.problem.code
        alike = _Alike(
            exchange.endpoint,
            exchange.method,
            exchange.status,
            exchange.source,
            problem,
            exchange.team,
        )
        return self._counts.get(alike) or self._new_counts(alike)

    def _new_counts(self, alike: _Alike) -> Counts:
        endpoint, method = alike.endpoint, _method(alike.method)
        once = [self.requests.labels(endpoint, method, str(alike.status), alike.source)]
        if alike.problem is not None:
            once.append(self.problems.labels(endpoint, alike.problem))
        if alike.team is not None:
            once.append(self.team_requests.labels(alike.team, f"{alike.status // 100}xx"))
        counts = Counts(self, (endpoint, method), once)
        if method == alike.method:  # a caller can invent methods, and would fill memory with them
            self._counts[alike] = counts
        return counts

    def operation_started(self, operation: Operation) -> None:
        self.operations_started.labels(operation.service, operation.team).inc()

    def set_running(self, operations: Iterable[Operation]) -> None:
        """As the store has it: other processes and earlier ones started operations, too."""
        running = Counting((operation.service, operation.team) for operation in operations)
        for labels in self._running - running.keys():
            self.operations_running.labels(*labels).set(0)
        for labels, count in running.items():
            self.operations_running.labels(*labels).set(count)
        self._running |= running.keys()

    def operation_ended(self, operation: Operation) -> None:
        labels = (operation.service, operation.team)
        self.operations_finished.labels(*labels, operation.status.value).inc()
        if operation.finished is not None:
            self.operation_seconds.labels(*labels).observe(
                max(0.0, operation.finished - operation.created)
            )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _method(method: str) -> str:
    # A method of a caller's invention must not become a series.
    return method if method in _METHODS else "other"

"""The record of one request and its answer: filled in by the stages, read once at the end."""

from dataclasses import dataclass, field
from typing import Any

from gateway.budget import Budget
from gateway.model import Caller, Thing
from gateway.problems import Problem

UNMATCHED = "unmatched"


@dataclass(frozen=True, slots=True)
class Hit:
    """What an answer from the property cache was made of, and what else it hung on."""

    key: Any  # of ``gateway.cache``
    fetched: Any
    rated: bool  # its requests are counted against a rate


@dataclass(slots=True, eq=False)
class Exchange:
    """What is known of one exchange. Times are seconds of the monotonic clock, sizes are bytes."""

    method: str
    path: str
    started: float
    request_id: str
    traceparent: str
    origin: str | None = None  # of a browser, RFC 6454
    client: str | None = None  # the caller's address, seen through trusted proxies
    endpoint: str = UNMATCHED
    simplified: bool = False  # which face: it decides the form of a problem
    caller: Caller | None = None
    team: str | None = None
    credential: str | None = None
    source: str = "gateway"  # who made the answer: upstream, cache or gateway
    status: int = 0
    problem: Problem | None = None
    operation_id: str | None = None
    upstream_seconds: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    answering: bool = False  # the head has gone out: nothing can be rendered any more
    left: bool = False  # the caller hung up before the answer was complete
    things: list[Thing] = field(default_factory=list)  # the objects that the request names
    budget: Budget | None = None  # of the bodies that all requests hold in memory
    held_bytes: int = 0
    scheme: str = "http"  # as the caller wrote it, where tracing is on
    span: Any = None  # of ``gateway.telemetry``, where tracing is on
    hit: Hit | None = None
    passed_on: bool = False  # a read, and its answer, as OL Connect gave it
    headers: list[tuple[str, str]] = field(default_factory=list)
    """Header lines that stages add to the answer, whoever makes it."""

    def again(self, started: float, request_id: str, traceparent: str, client: str | None) -> None:
        """Be the record of another request that was answered in the same way."""
        self.started, self.client = started, client
        self.request_id, self.traceparent = request_id, traceparent

    def hold(self, count: int) -> None:
        """Keep so many bytes more until the exchange ends. Raises UpstreamOverloaded."""
        if self.budget is not None:
            self.budget.take(count)
            self.held_bytes += count

    def let_go(self) -> None:
        if self.budget is not None:
            self.budget.give_back(self.held_bytes)
            self.held_bytes = 0

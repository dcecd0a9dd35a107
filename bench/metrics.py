"""How long ``/metrics`` takes when every endpoint and every team has been busy.

Run as ``python -m bench.metrics``. It prints processor time: for an
answer, and for a request that is counted.
"""

import gc
from collections.abc import Callable
from time import process_time

from gateway.admin import Exposition
from gateway.catalogue import CATALOGUE, SIMPLIFIED
from gateway.exchange import Exchange
from gateway.merging import families_of, merged, snapshot
from gateway.metrics import Metrics
from gateway.problems import NotFound, Problem

TEAMS = [f"team-{number}" for number in range(10)]
_TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_OUTCOMES: list[tuple[int, Problem | None]] = [(200, None), (404, NotFound())]


def exchanges() -> list[Exchange]:
    made = []
    for endpoint in (*CATALOGUE, *SIMPLIFIED):
        for team in TEAMS:
            for status, problem in _OUTCOMES:
                exchange = Exchange(endpoint.method, "/", 0.0, "id", _TRACEPARENT)
                exchange.endpoint, exchange.team = endpoint.name, team
                exchange.status, exchange.problem = status, problem
                exchange.upstream_seconds, exchange.bytes_in, exchange.bytes_out = 0.02, 10, 10
                made.append(exchange)
    return made


def milliseconds(work: Callable[[], object], repeats: int = 20) -> float:
    gc.collect()
    best = float("inf")
    for _ in range(repeats):
        began = process_time()
        work()
        best = min(best, process_time() - began)
    return best * 1000


def main() -> None:
    metrics, made = Metrics(), exchanges()
    began = process_time()
    for exchange in made:
        metrics.record(exchange, 0.03)
    each = (process_time() - began) / len(made)
    began = process_time()
    for exchange in made:
        metrics.record(exchange, 0.03)
    again = (process_time() - began) / len(made)
    exposition, families = Exposition(), metrics.registry.families
    began = process_time()
    lines = len(exposition.text(families).splitlines())
    first = process_time() - began
    part = snapshot(metrics.registry)
    print(f"{lines} lines")
    print(f"count a request   {each * 1e6:8.1f} us first, {again * 1e6:.1f} us after")
    print(
        f"text              {milliseconds(lambda: exposition.text(families)):8.1f} ms, {first * 1000:.1f} first"
    )
    print(f"OpenMetrics       {milliseconds(lambda: exposition.open_metrics(families)):8.1f} ms")
    print(f"worker's snapshot {milliseconds(lambda: snapshot(metrics.registry)):8.1f} ms")
    two = milliseconds(lambda: merged([families_of(part), families_of(part)]))
    print(f"merge of two      {two:8.1f} ms")


if __name__ == "__main__":
    main()

"""How long ``/metrics`` takes when every endpoint and every team has been busy.

Run as ``python -m bench.metrics``. First processor time: for a request that is counted, and for an
answer by one process and by a supervisor. Then what a scraper waits for, over HTTP: of one process,
and of a supervisor with two and with four workers that are processes of their own.
"""

import asyncio
import gc
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from gateway import admin, exposition, listener
from gateway.admin import Admin
from gateway.catalogue import CATALOGUE, SIMPLIFIED
from gateway.exchange import Exchange
from gateway.families import Registry
from gateway.merging import Total, read, snapshot
from gateway.metrics import Metrics
from gateway.problems import NotFound, Problem
from gateway.run import run
from gateway.settings import Address
from gateway.supervisor import Worker

TEAMS = [f"team-{number}" for number in range(10)]
_SECONDS = (0.004, 0.03, 0.2, 2.0)  # so that four buckets have an exemplar
_OUTCOMES: list[tuple[int, Problem | None]] = [(200, None), (404, NotFound())]
_OPEN_METRICS = "application/openmetrics-text;version=1.0.0"


def exchanges() -> list[Exchange]:
    made = []
    for endpoint in (*CATALOGUE, *SIMPLIFIED):
        for team in TEAMS:
            for status, problem in _OUTCOMES:
                traceparent = f"00-{len(made) + 1:032x}-b7ad6b7169203331-01"
                exchange = Exchange(endpoint.method, "/", 0.0, "id", traceparent)
                exchange.endpoint, exchange.team = endpoint.name, team
                exchange.status, exchange.problem = status, problem
                exchange.upstream_seconds, exchange.bytes_in, exchange.bytes_out = 0.02, 10, 10
                made.append(exchange)
    return made


def count(metrics: Metrics, made: list[Exchange]) -> None:
    for number, exchange in enumerate(made):
        metrics.counts_of(exchange).add(exchange, _SECONDS[number % len(_SECONDS)])


def counted() -> Metrics:
    metrics = Metrics()
    count(metrics, exchanges())
    return metrics


def milliseconds(work: Callable[[], object], repeats: int = 20) -> str:
    took = []
    for _ in range(repeats):
        gc.collect()
        began = process_time()
        work()
        took.append((process_time() - began) * 1000)
    return f"{took[0]:6.1f} ms first, {median(took[1:]):5.1f} ms after"


def processor_time() -> None:
    metrics, made = Metrics(), exchanges()
    began = process_time()
    count(metrics, made)
    each = (process_time() - began) / len(made)
    began = process_time()
    count(metrics, made)
    again = (process_time() - began) / len(made)
    families, part = metrics.registry.families, snapshot(metrics.registry)
    print(f"{len(exposition.text(families).splitlines())} lines")
    print(f"count a request    {each * 1e6:6.1f} us first, {again * 1e6:5.1f} us after")
    print(f"text               {milliseconds(lambda: exposition.text(families))}")
    print(f"OpenMetrics        {milliseconds(lambda: exposition.open_metrics(families))}")
    print(f"worker's snapshot  {milliseconds(lambda: snapshot(metrics.registry))}, {len(part):,} B")
    for workers in (2, 4):
        total = Total()
        merge = lambda total=total, n=workers: total.of(read(part)[1] for _ in range(n))  # noqa: E731
        print(f"merge of {workers}         {milliseconds(merge)}")


@asynccontextmanager
async def workers(number: int) -> AsyncIterator[list[Worker]]:
    with tempfile.TemporaryDirectory(prefix="olgw-bench-") as folder:
        sockets = [Path(folder) / str(one) for one in range(number)]
        module = (sys.executable, "-m", "bench.metrics", "--worker")
        processes = [await asyncio.create_subprocess_exec(*module, one) for one in sockets]
        while not all(one.exists() for one in sockets):  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.02)
        try:
            yield [Worker(*pair) for pair in zip(processes, sockets, strict=True)]
        finally:
            for process in processes:
                process.terminate()
                await process.wait()


async def waited(processes: int) -> None:
    """Print how long a scraper waits: the first time, and then as the median and the longest."""
    async with workers(processes) as working:
        total, metrics = Total(), counted()

        async def gathered() -> Registry:
            if not working:
                return metrics.registry
            await asyncio.gather(*(worker.collect() for worker in working))
            return total.of(worker.part for worker in working)

        await gathered()  # as a supervisor does every two seconds
        listening = await listener.listen(
            Admin(gathered, ()).handle,
            Address("127.0.0.1", 0),
            malformed=admin.refused,
            max_header_bytes=8192,
        )
        began = process_time()
        first, *rest = await _scraped(listening.port)
        busy = (process_time() - began) * 1000 / (1 + len(rest))
        await listening.stop()
    name = f"{processes} workers" if processes else "one process"
    print(
        f"{name:18} {first:6.1f} ms first, {median(rest):5.1f} ms after, {max(rest):.1f} at most;"
        f" {busy:.1f} ms of the answering process's time"
    )


async def _scraped(port: int) -> list[float]:
    """By a process of its own, as by Prometheus."""
    scraper = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.metrics", "--scrape", str(port)), stdout=PIPE
    )
    output, _ = await scraper.communicate()
    return [float(text) for text in output.split()]


def scrape(port: int, times: int = 50) -> None:
    for _ in range(times):
        connection = HTTPConnection("127.0.0.1", port)
        began = perf_counter()
        connection.request("GET", "/metrics", headers={"Accept": _OPEN_METRICS})
        assert len(connection.getresponse().read()) > 100_000
        print((perf_counter() - began) * 1000)
        connection.close()


async def work(socket: Path) -> None:
    metrics = counted()

    async def gathered() -> Registry:
        return metrics.registry

    await listener.listen(
        Admin(gathered, (), is_worker=True).handle,
        socket,
        malformed=admin.refused,
        max_header_bytes=8192,
    )
    await asyncio.Event().wait()


async def main() -> None:
    print("Processor time")
    processor_time()
    print("\nWaited for an answer in OpenMetrics")
    for processes in (0, 2, 4):
        await waited(processes)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--worker", path]:
            run(work(Path(path)))
        case ["--scrape", port]:
            scrape(int(port))
        case _:
            run(main())

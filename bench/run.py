"""``make bench``: every contender at every kind of work it can do, interleaved, in one run.

The contender has core 0 for itself; the load and the stand-in for OL Connect share core 1. Figures
are medians over the rounds. CPU time is the contender's own, children included.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import report
from bench.contenders import AUTHENTICATED, CONTENDERS, Contender
from bench.ground import LOAD_CORE, Ground, Process
from bench.load import run as load

RESULTS = Path(__file__).resolve().parent / "results"
_SATURATION = 64
_DEBIAN = ("wrk", "nginx", "haproxy", "util-linux")


@dataclass(frozen=True)
class Figure:
    """One contender's showing at one kind of work. Seconds, bytes, requests per second."""

    per_second: float
    cpu_microseconds: float
    p50: float
    p99: float
    p99_at_70_percent: float
    latency_of_one: float
    rss_bytes: float
    failed: float


def main() -> None:
    arguments = _arguments()
    if arguments.install:
        subprocess.run(
            ["apt-get", "install", "-y", "--no-install-recommends", *_DEBIAN], check=True
        )
    for tool in ("wrk", "nginx", "taskset"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is not installed: run with --install (Debian, as root)")
    if (os.cpu_count() or 1) < 2:
        sys.exit("two cores are needed: one for the contender, one for the load")
    folder = Path(tempfile.mkdtemp(prefix="olgw-bench-"))
    try:
        figures = _compete(folder, arguments)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _keep(figures, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--work", default=",".join(AUTHENTICATED), help="which, with commas")
    parser.add_argument("--contenders", default="", help="names, with commas; empty: all")
    parser.add_argument("--name", default="latest", help="of the files in bench/results")
    parser.add_argument("--install", action="store_true", help="apt-get what is missing, first")
    return parser.parse_args()


def _compete(folder: Path, arguments: argparse.Namespace) -> dict[str, dict[str, Figure]]:
    ground = Ground(folder)
    ground.prepare()
    config = ground.write("olconnect.conf", "olconnect.conf")
    stand_in = Process(
        ["nginx", "-p", str(folder), "-c", str(config)], LOAD_CORE, ground.upstream_port
    )
    stand_in.start()
    measured: dict[tuple[str, str], list[Figure]] = defaultdict(list)
    try:
        for round_ in range(arguments.rounds):
            for work in arguments.work.split(","):
                for contender in _entrants(work, arguments.contenders):
                    figure = _measure(ground, contender, work, arguments.seconds)
                    measured[work, contender.name].append(figure)
                    print(
                        f"round {round_ + 1}  {work:4} {contender.name:13}"
                        f"{figure.per_second:9.0f}/s {figure.cpu_microseconds:7.1f} us",
                        flush=True,
                    )
    finally:
        stand_in.stop()
    figures: dict[str, dict[str, Figure]] = defaultdict(dict)
    for (work, name), rounds in measured.items():
        figures[work][name] = _median(rounds)
    return figures


def _entrants(work: str, wanted: str) -> list[Contender]:
    names = set(filter(None, wanted.split(",")))
    entrants = []
    for contender in CONTENDERS:
        if work not in contender.work or (names and contender.name not in names):
            continue
        if missing := contender.missing():
            print(f"skipped: {contender.name}: {missing} is not installed")
            continue
        entrants.append(contender)
    return entrants


def _measure(ground: Ground, contender: Contender, work: str, seconds: float) -> Figure:
    process = contender.start(ground, work)
    process.start()
    try:
        if contender.name == "gateway":
            _bring_about(ground, process.port)
        load(ground, work, process.port, connections=_SATURATION, seconds=1)
        before = process.cpu_seconds()
        full = load(ground, work, process.port, connections=_SATURATION, seconds=seconds)
        cpu = process.cpu_seconds() - before
        rss = process.rss_bytes()
        one = load(ground, work, process.port, connections=1, seconds=max(1, seconds / 3))
        # Of a large result not even one may have come in time.
        rate = max(full.per_second, 1.0)
        delay = max(1, round(1000 * _SATURATION / (0.7 * rate) - 1000 * one.p50))
        paced = load(
            ground, work, process.port, connections=_SATURATION, seconds=seconds / 2, delay_ms=delay
        )
        return Figure(
            per_second=full.per_second,
            cpu_microseconds=1e6 * cpu / max(1, full.requests),
            p50=full.p50,
            p99=full.p99,
            p99_at_70_percent=paced.p99,
            latency_of_one=one.p50,
            rss_bytes=rss,
            failed=full.failed,
        )
    finally:
        process.stop()


def _bring_about(ground: Ground, port: int) -> None:
    """Through the gateway: what the work names must be the team's own."""

    def call(method: str, path: str, body: bytes | None = None) -> str:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/rest/serverengine{path}",
            data=body,
            method=method,
            headers={
                "Authorization": f"Bearer {ground.token()}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.headers.get("operationId") or answer.read().decode())

    call("POST", "/filestore/DataFile", b"data")
    operation = call("POST", "/workflow/datamining/pdfvtcs/7")
    content_set = call("POST", f"/workflow/datamining/getResult/{operation}")
    content = b'{"identifiers": [%b]}' % content_set.encode()
    operation = call("POST", "/workflow/jobcreation/Invoices.OL-jobpreset", content)
    job_set = call("POST", f"/workflow/jobcreation/getResult/{operation}")
    call("GET", f"/entity/jobsets/{job_set}")
    assert call("GET", "/entity/jobs/1/properties").startswith("[")


def _median(rounds: Sequence[Figure]) -> Figure:
    columns = {name: [asdict(figure)[name] for figure in rounds] for name in asdict(rounds[0])}
    return Figure(**{name: statistics.median(values) for name, values in columns.items()})


def _keep(figures: dict[str, dict[str, Figure]], arguments: argparse.Namespace) -> None:
    RESULTS.mkdir(exist_ok=True)
    told = {
        "command": "python -m bench.run "
        f"--rounds {arguments.rounds} --seconds {arguments.seconds:g}",
        "python": platform.python_version(),
        "figures": {
            work: {name: asdict(figure) for name, figure in rows.items()}
            for work, rows in figures.items()
        },
    }
    (RESULTS / f"{arguments.name}.json").write_text(json.dumps(told, indent=1) + "\n")
    table = report.table(told)
    (RESULTS / f"{arguments.name}.md").write_text(table)
    (RESULTS / f"{arguments.name}.svg").write_text(report.plot(told))
    print("\n" + table)


if __name__ == "__main__":
    main()

"""The load: wrk with a script per kind of work, and what it printed."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.ground import LOAD_CORE, Ground

_TOKENS = 20_000
_PROPERTIES = "/rest/serverengine/entity/jobs/1/properties"


@dataclass(frozen=True)
class Load:
    """What wrk measured. Latencies are seconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    failed: int

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def script(ground: Ground, work: str) -> Path:
    """The Lua file that makes this work's requests; kept for the rounds to come."""
    path = ground.folder / f"{work}.lua"
    if not path.exists():
        path.write_text(_lua(ground, work))
    return path


def _lua(ground: Ground, work: str) -> str:
    token = ground.token()
    if work == "W2f":
        tokens = ground.folder / "tokens.txt"
        tokens.write_text("\n".join(ground.token(number) for number in range(_TOKENS)))
        return (
            f'local tokens = {{}} for line in io.lines("{tokens}") do tokens[#tokens+1] = line end\n'
            "local at = 0\n"
            "request = function() at = at % #tokens + 1\n"
            f'  return wrk.format("GET", "{_PROPERTIES}", '
            '{["Authorization"] = "Bearer " .. tokens[at]}) end\n'
        )
    method, path, body = "GET", _PROPERTIES, ""
    if work == "W4":
        method, path = "POST", "/rest/serverengine/workflow/jobcreation/Invoices.OL-jobpreset"
        body = '{"identifiers": [5]}'
    if work == "W5":
        path = "/rest/serverengine/filestore/file/7"
    if work == "W6b":
        token = token[:-8] + ("AAAAAAAA" if token[-8:] != "AAAAAAAA" else "BBBBBBBB")
    lines = [f'wrk.method = "{method}"', f'wrk.path = "{path}"', f"wrk.body = '{body}'"]
    if body:
        lines.append('wrk.headers["Content-Type"] = "application/json"')
    if work != "W6a":
        lines.append(f'wrk.headers["Authorization"] = "Bearer {token}"')
    return "\n".join(lines) + "\n"


def run(
    ground: Ground, work: str, port: int, *, connections: int, seconds: float, delay_ms: int = 0
) -> Load:
    path = script(ground, work)
    if delay_ms:
        paced = ground.folder / f"{work}-{delay_ms}.lua"
        # At random, or else all connections would go on asking at the same moments.
        pause = f"delay = function() return math.random(0, {2 * delay_ms}) end\n"
        paced.write_text(path.read_text() + pause)
        path = paced
    command = ["taskset", "-c", str(LOAD_CORE), "wrk", "--latency", "-t1", f"-c{connections}"]
    command += [
        f"-d{max(1, round(seconds))}s",
        "--timeout",
        "10s",
        "-s",
        str(path),
        f"http://127.0.0.1:{port}/",
    ]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return read(printed, refused=work.startswith("W6"))


def read(printed: str, *, refused: bool = False) -> Load:
    """``refused``: answers of 4xx are what is wanted."""
    total = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", printed)
    assert total, printed
    errors = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", printed)
    return Load(
        requests=int(total[1]),
        seconds=_seconds(total[2], total[3]),
        p50=_percentile(printed, "50%"),
        p99=_percentile(printed, "99%"),
        failed=(sum(map(int, errors.groups())) if errors else 0) + _unwanted(printed, refused),
    )


def _unwanted(printed: str, refused: bool) -> int:
    found = re.search(r"Non-2xx or 3xx responses: (\d+)", printed)
    return int(found[1]) if found and not refused else 0


def _percentile(printed: str, mark: str) -> float:
    found = re.search(rf"{mark}\s+([\d.]+)(us|ms|s|m)", printed)
    return _seconds(found[1], found[2]) if found else float("nan")


def _seconds(number: str, unit: str) -> float:
    return float(number) * {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}[unit]

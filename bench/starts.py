"""What starting an operation costs besides OL Connect: microseconds of processor time, of all
threads, until a start is announced, sent and claimed in a SQLite store. OL Connect is stood in
for by an answer that is there at once. Run: python -m bench.starts [STARTS]"""

import asyncio
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from gateway.connect import Connect
from gateway.ledger import Ledger
from gateway.operation import Operation
from gateway.recovery import Recovery
from gateway.rules.links import Origins
from gateway.run import run
from gateway.starts import Start, Starts
from gateway.stores import Store, open_store
from gateway.tasks import TaskSet
from gateway.upstream.client import Call

STARTS = 20_000
AT_ONCE = (1, 64)
_PATH = "/workflow/datamining/4/1"


class Accepting:
    """In place of OL Connect: accepts everything."""

    def __init__(self) -> None:
        self.upstream = self

    @asynccontextmanager
    async def ask(self, call: Call, **options: Any) -> AsyncIterator[Any]:
        id_ = str(uuid.uuid4()).encode()
        yield SimpleNamespace(status=202, headers={}, raw_headers=((b"operationId", id_),))


def starts(store: Store) -> Starts:
    ledger = Ledger(store, time.time)
    connect = cast(Connect, Accepting())
    return Starts(
        store=store,
        ledger=ledger,
        connect=connect,
        recovery=Recovery(
            store=store, ledger=ledger, connect=connect, now=time.time, longest_seconds=60.0
        ),
        origins=Origins("http://127.0.0.1:8080", "http://127.0.0.1:9340"),
        tasks=TaskSet(),
        now=time.time,
        started=lambda operation: None,
    )


def start(number: int) -> Start:
    operation = Operation(
        "", "data_mapping", "data_mapping.process", f"team-{number % 10}", "corporate", "jane",
        "printing", 0.0, presets=("4",),
    )  # fmt: skip
    return Start(operation, Call("POST", _PATH))


async def client(gateway: Starts, numbers: Iterator[int]) -> None:
    for number in numbers:
        await gateway.begin(start(number))


async def measured(folder: Path, count: int, at_once: int) -> str:
    """Microseconds per start: of processor time, and until the answer."""
    store = await open_store(f"sqlite:{at_once}.db", base=folder)
    gateway = starts(store)
    await asyncio.gather(*(client(gateway, iter(range(50))) for _ in range(at_once)))
    numbers = iter(range(count))
    used, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(client(gateway, numbers) for _ in range(at_once)))
    used, took = time.process_time() - used, time.perf_counter() - began
    await store.close()
    return f"{used / count * 1e6:8.1f} {took * at_once / count * 1e6:8.0f}"


async def main(count: int) -> None:
    print("starts at once   processor     took  (microseconds per start)")
    with tempfile.TemporaryDirectory() as folder:
        for at_once in AT_ONCE:
            print(f"  {at_once:>12}    {await measured(Path(folder), count, at_once)}")


if __name__ == "__main__":
    run(main(int(sys.argv[1]) if len(sys.argv) > 1 else STARTS))

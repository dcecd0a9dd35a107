"""The ledger at a thousand and at a million operations: how long it takes to answer, and whether
anything has to wait while old rows expire. Run: python -m bench.ledger [ROWS...]"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import quantiles

from gateway.ledger import Ledger
from gateway.model import Kind, Thing
from gateway.operation import Operation
from gateway.stores import Add, Store
from gateway.stores.contract import Change
from gateway.stores.memory import MemoryStore
from gateway.stores.sqlite import SqliteStore

SIZES = (1_000, 1_000_000)
ROUNDS = 2_000
_AT_ONCE = 5_000
_RUNNING = 100
_EXPIRY_SECONDS = 5.0


def operation(number: int, created: float) -> Operation:
    return Operation(
        f"operation-{number}", "data_mapping", "data_mapping.process", f"team-{number % 10}",
        "corporate", "jane", "printing", created,
    )  # fmt: skip


class Batch(MemoryStore):
    """Takes what a ledger would write, to be written at once."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[Change] = []

    async def apply(self, changes: Sequence[Change]) -> None:
        self.changes += changes


async def fill(store: Store, rows: int) -> None:
    """Operations of ten teams; the first hundred are running still."""
    batch = Batch()
    ledger = Ledger(batch, lambda: 0.0)
    for number in range(rows):
        await ledger.claim(operation(number, number))
        if number >= _RUNNING:
            batch.changes[-5:] = [each for each in batch.changes[-5:] if not _marks_running(each)]
        if len(batch.changes) >= _AT_ONCE or number == rows - 1:
            await store.apply(batch.changes)
            batch.changes = []


def _marks_running(change: Change) -> bool:
    return isinstance(change, Add) and change.name.startswith("running")


async def measured(work: Callable[[int], Awaitable[object]]) -> str:
    """Median and 99th percentile in microseconds."""
    times = []
    for number in range(ROUNDS):
        began = time.perf_counter()
        await work(number)
        times.append((time.perf_counter() - began) * 1e6)
    cuts = quantiles(times, n=100)
    return f"{cuts[49]:8.0f} {cuts[98]:8.0f}"


async def size(folder: Path, rows: int) -> None:
    clock = [1_700_000_000.0]
    store = await SqliteStore.open(folder / f"{rows}.db", now=lambda: clock[0])
    ledger = Ledger(store, lambda: clock[0])
    await fill(store, rows)
    cold = Ledger(store, lambda: clock[0])

    async def check(number: int) -> None:
        thing = Thing(Kind.OPERATION, f"operation-{number * 7919 % rows}")
        await cold.look_up([thing])

    works: dict[str, Callable[[int], Awaitable[object]]] = {
        "who owns it (from the file)": check,
        "one operation": lambda number: ledger.operation(f"operation-{number * 7919 % rows}"),
        "a team's newest 20": lambda number: ledger.operations(f"team-{number % 10}", limit=20),
        "how many are running": lambda number: ledger.count_running(f"team-{number % 10}"),
        "begin one": lambda number: ledger.claim(operation(rows + number, clock[0])),
    }
    print(f"{rows:>9} operations             median      p99  (microseconds)")
    for name, work in works.items():
        print(f"  {name:<30} {await measured(work)}")
    known = Thing(Kind.OPERATION, "operation-1")
    began = time.perf_counter()
    for _ in range(100_000):
        cold.recall(known)
    print(f"  {'who owns it (known)':<30} {(time.perf_counter() - began) * 10:8.2f}")
    await expire(ledger, clock)
    await store.close()


async def expire(ledger: Ledger, clock: list[float]) -> None:
    """All rows have grown old at once; meanwhile the ledger goes on answering."""
    clock[0] += 40 * 86_400
    until = time.perf_counter() + _EXPIRY_SECONDS
    longest = 0.0
    while (began := time.perf_counter()) < until:
        await ledger.claim(operation(0, clock[0]))
        longest = max(longest, time.perf_counter() - began)
        await asyncio.sleep(0.001)
    print(f"  {'longest wait while they expire':<30} {longest * 1e6:8.0f}")


async def main(sizes: tuple[int, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for rows in sizes:
            await size(Path(folder), rows)


if __name__ == "__main__":
    asyncio.run(main(tuple(map(int, sys.argv[1:])) or SIZES))

"""What starting an operation costs besides the network: microseconds of processor time, of all
threads, over a SQLite store. Run: python -m bench.starts [STARTS]"""

import asyncio
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from types import SimpleNamespace
from typing import Any, cast

from gateway.attempts import Answer, Attempts
from gateway.connect import Connect
from gateway.ledger import Ledger
from gateway.limits import Limiter
from gateway.model import Status
from gateway.operation import Operation
from gateway.recovery import Recovery
from gateway.rules.links import Origins
from gateway.run import run
from gateway.settings import Limits
from gateway.starts import Start, Starts
from gateway.stores import Store
from gateway.stores.sqlite import SqliteStore
from gateway.tasks import TaskSet
from gateway.upstream.call import Call

STARTS = 640
ROUNDS = 25
AT_ONCE = (1, 64)
_NO_LIMITS = Limits()
_CALL = Call("POST", "/workflow/datamining/4/1")


async def _look(operation: Operation) -> None:
    """There are no limits for which operations would be asked about."""


class Accepting:
    """In place of OL Connect: accepts everything at once, as the operations ``ids``."""

    def __init__(self) -> None:
        self.upstream = self
        self.ids: Iterator[str] = iter(())

    @asynccontextmanager
    async def ask(self, call: Call, **options: Any) -> AsyncIterator[Any]:
        lines = ((b"operationId", next(self.ids).encode()),)
        yield SimpleNamespace(status=202, headers={}, raw_headers=lines)


class Gateway:
    """The parts that a start goes through."""

    def __init__(self, store: Store) -> None:
        self.accepting = Accepting()
        self.sent: dict[str, Operation] = {}
        connect = cast(Connect, self.accepting)
        self.ledger = Ledger(store, time.time)
        recovery = Recovery(
            store=store, ledger=self.ledger, connect=connect, now=time.time, longest_seconds=60.0
        )
        self.attempts = Attempts(
            store=store, ledger=self.ledger, recovery=recovery, started=lambda operation: None
        )
        self.starts = Starts(
            store=store,
            ledger=self.ledger,
            limiter=Limiter(store, self.ledger, time.time, _look),
            connect=connect,
            recovery=recovery,
            origins=Origins("http://127.0.0.1:8080", "http://127.0.0.1:9340"),
            tasks=TaskSet(),
            now=time.time,
            started=lambda operation: None,
        )

    async def record(self, operation: Operation) -> None:
        """What is written for one start, and nothing else."""
        attempt = self.sent[operation.id]
        await self.attempts.announce(attempt)
        await self.attempts.settle(attempt, Answer(202, (), operation=operation))

    async def begin(self, operation: Operation) -> None:
        """All of a start but the way to OL Connect and back."""
        await self.starts.begin(Start(operation, _CALL), _NO_LIMITS)


def operation(number: int) -> Operation:
    return Operation(
        str(uuid.uuid4()), "data_mapping", "data_mapping.process", f"team-{number % 10}",
        "corporate", "jane", "printing", time.time(), presets=("4",),
    )  # fmt: skip


async def all_of(
    work: Callable[[Operation], Awaitable[None]], each: list[Operation], at_once: int
) -> None:
    waiting = iter(each)

    async def client() -> None:
        for operation in waiting:
            await work(operation)

    await asyncio.gather(*(client() for _ in range(at_once)))


async def measured(name: str, count: int, at_once: int) -> None:
    """Prints microseconds per start: used, and until the answer.

    The least of some rounds, since whatever else the machine does can only add to it.
    """
    used, took = [], []
    with tempfile.TemporaryDirectory() as folder:
        store = await SqliteStore.open(Path(folder) / "starts.db")
        gateway = Gateway(store)
        for _ in range(ROUNDS):
            each = list(map(operation, range(count)))
            gateway.accepting.ids = iter([operation.id for operation in each])
            gateway.sent = {one.id: replace(one, id=token_hex(12)) for one in each}
            before, began = time.process_time(), time.perf_counter()
            await all_of(getattr(gateway, name), each, at_once)
            used.append((time.process_time() - before) / count * 1e6)
            took.append((time.perf_counter() - began) / count * at_once * 1e6)
            # Not counted: none of the next round's are the first of a team, or the ten thousandth.
            ends = (gateway.ledger.end(operation.id, Status.SUCCEEDED) for operation in each)
            await asyncio.gather(*ends)
        await store.close()
    print(f"  {name:<8} {at_once:>12} {min(used):>12.1f} {min(took):>9.0f}")


async def main(count: int) -> None:
    print("  what     starts at once    processor      took  (microseconds per start)")
    for name in ("record", "begin"):
        for at_once in AT_ONCE:
            await measured(name, count, at_once)


if __name__ == "__main__":
    run(main(int(sys.argv[1]) if len(sys.argv) > 1 else STARTS))

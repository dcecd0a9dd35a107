"""The ledger at a thousand and at a million operations: how long it takes to answer, and whether
anything has to wait while old rows expire. Run: python -m bench.ledger [OPERATIONS...]"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import connect
from statistics import quantiles

from gateway.ledger import Ledger
from gateway.model import Kind, Status, Thing
from gateway.operation import Operation
from gateway.run import run
from gateway.stores.contract import Change, Put
from gateway.stores.memory import MemoryStore
from gateway.stores.sqlite import SqliteStore

SIZES = (1_000, 1_000_000)
ROUNDS = 3_000
TEAMS = 10
_RUNNING = 100
_AT_ONCE = 5_000
EXPIRY_SECONDS = 30.0
SETTLING_SECONDS = 10.0
_BEGAN = 1_700_000_000.0


def operation(id_: str, number: int, created: float, status: Status) -> Operation:
    return Operation(
        id_, "data_mapping", "data_mapping.process", f"team-{number % TEAMS}", "corporate", "jane",
        "printing", created, presets=("4",), status=status,
    )  # fmt: skip


def id_of(number: int) -> str:
    """In the order of the numbers, so that filling is quick; what it is asked for is not."""
    return f"{number:08x}-5d1f-4c6a-9b3e-0242ac120002"


def job_set(number: int) -> Thing:
    return Thing(Kind.JOB_SET, f"{number:08}")


class Taken(MemoryStore):
    """Shows what a ledger writes."""

    def __init__(self) -> None:
        super().__init__()
        self.puts: list[Put] = []

    async def apply(self, changes: Sequence[Change]) -> None:
        self.puts += (change for change in changes if isinstance(change, Put))


async def patterns() -> dict[tuple[int, bool], list[Put]]:
    """What is written for an operation that has left a job set, by team and whether it runs."""
    written = {}
    for team in range(TEAMS):
        for status in (Status.RUNNING, Status.SUCCEEDED):
            taken = Taken()
            ledger = Ledger(taken, lambda: _BEGAN)
            await ledger.claim(operation("ID", team, 12345.5, status))
            await ledger.learn(f"team-{team}", [Thing(Kind.JOB_SET, "ID")])
            written[team, status is Status.RUNNING] = taken.puts
    return written


def filled(pattern: Put, number: int, created: float) -> Put:
    key = pattern.key.replace("ID", id_of(number) if pattern.listed else job_set(number).id)
    value = pattern.value.replace(b"ID", id_of(number).encode())
    value = value.replace(b"12345.5", repr(created).encode())
    return pattern._replace(key=key, value=value, score=created)


@dataclass
class Case:
    """A ledger of so many operations; ``clock`` is its time."""

    rows: int
    path: Path
    clock: list[float]
    store: SqliteStore
    ledger: Ledger

    @classmethod
    async def of(cls, folder: Path, rows: int) -> "Case":
        path, clock = folder / f"{rows}.db", [_BEGAN]
        store = await SqliteStore.open(path, now=lambda: clock[0])
        case = cls(rows, path, clock, store, Ledger(store, lambda: clock[0]))
        began = time.perf_counter()
        await case.fill()
        print(f"{rows:>9} operations filled in {time.perf_counter() - began:.0f} s")
        return case

    async def fill(self) -> None:
        """Operations of ten teams, each with a job set; some are running still."""
        written = await patterns()
        every = max(1, self.rows // _RUNNING)
        for start in range(0, self.rows, _AT_ONCE):
            changes: list[Put] = []
            for number in range(start, min(start + _AT_ONCE, self.rows)):
                # Neighbours in the file began at quite different times.
                created = _BEGAN - number * 7919 % self.rows / 1000
                pattern = written[number % TEAMS, number % every == 0]
                changes += (filled(each, number, created) for each in pattern)
            await self.store.apply(changes)

    def any_of(self, number: int) -> int:
        return number * 104_729 % self.rows

    # Questions

    async def who_owns_it(self, number: int) -> None:
        await self.ledger.look_up([job_set(self.any_of(number))])

    async def whose_operation(self, number: int) -> None:
        await self.ledger.look_up([Thing(Kind.OPERATION, id_of(self.any_of(number)))])

    async def one_operation(self, number: int) -> None:
        await self.ledger.operation(id_of(self.any_of(number)))

    async def newest(self, number: int) -> None:
        await self.ledger.operations(f"team-{number % TEAMS}", limit=20)

    async def how_many_run(self, number: int) -> None:
        await self.ledger.count_running(f"team-{number % TEAMS}")

    async def begin(self, number: int) -> None:
        place = id_of(self.any_of(number)) + f"-{number}"
        await self.ledger.claim(operation(place, number, self.clock[0], Status.RUNNING))

    async def end(self, number: int) -> None:
        place = id_of(self.any_of(number)) + f"-{number}"
        await self.ledger.end(place, Status.SUCCEEDED)


QUESTIONS: dict[str, Callable[[Case, int], Awaitable[None]]] = {
    "who owns it (from the file)": Case.who_owns_it,
    "whose operation (from the file)": Case.whose_operation,
    "one operation": Case.one_operation,
    "a team's newest 20": Case.newest,
    "how many are running": Case.how_many_run,
    "begin one": Case.begin,
    "end one": Case.end,
}


async def compare(cases: Sequence[Case]) -> None:
    """In turns, so that whatever else the machine does meets all sizes alike."""
    head = "".join(f"{case.rows:>14,}      p99" for case in cases)
    print(f"{'microseconds, at operations:':<32}{head}")
    for name, question in QUESTIONS.items():
        times: list[list[float]] = [[] for _ in cases]
        for number in range(ROUNDS):
            for case, taken in zip(cases, times, strict=True):
                began = time.perf_counter()
                await question(case, number)
                taken.append((time.perf_counter() - began) * 1e6)
        cuts = [quantiles(taken, n=100) for taken in times]
        print(_line(name, [(cut[49], cut[98]) for cut in cuts]))


def recall(case: Case) -> None:
    known, rounds = job_set(0), 100_000
    began = time.perf_counter()
    for _ in range(rounds):
        case.ledger.recall(known)
    each = (time.perf_counter() - began) / rounds * 1e6
    print(f"  {'who owns it (known)':<30}{each:>14.2f}")


async def expire(cases: Sequence[Case]) -> None:
    """The last one's rows have grown old at once; meanwhile it goes on answering, as do the others,
    which show what the machine is to blame for."""
    case = cases[-1]
    before = _rows(case.path)
    case.clock[0] += 40 * 86_400
    until = time.perf_counter() + EXPIRY_SECONDS
    waits: list[list[float]] = [[] for _ in cases]
    while time.perf_counter() < until:
        for each, taken in zip(cases, waits, strict=True):
            began = time.perf_counter()
            await each.begin(len(taken))
            taken.append((time.perf_counter() - began) * 1e6)
        await asyncio.sleep(0.001)
    gone = before + len(waits[-1]) - _rows(case.path)
    cuts = [quantiles(taken, n=1000) for taken in waits]
    print(f"{gone:,} of {before:,} rows expired and gone in {EXPIRY_SECONDS:.0f} s, meanwhile:")
    print(_line("begin one", [(cut[499], cut[989]) for cut in cuts]))
    longest = [(cut[998], max(taken)) for cut, taken in zip(cuts, waits, strict=True)]
    print(_line("  one in a thousand, longest", longest))


def _line(name: str, pairs: Sequence[tuple[float, float]]) -> str:
    return f"  {name:<30}" + "".join(f"{first:>14.0f} {second:>8.0f}" for first, second in pairs)


def _rows(path: Path) -> int:
    with closing(connect(path)) as connection:
        count: int = connection.execute("SELECT count(*) FROM entries").fetchone()[0]
        return count


async def main(sizes: Sequence[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cases = [await Case.of(Path(folder), rows) for rows in sizes]
        await asyncio.sleep(SETTLING_SECONDS)  # what was filled in moves from the log to the file
        await compare(cases)
        recall(cases[-1])
        await expire(cases)
        for case in cases:
            await case.store.close()


if __name__ == "__main__":
    run(main([int(size) for size in sys.argv[1:]] or SIZES))

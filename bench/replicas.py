"""Property caches of one to a thousand replicas, simulated: what a cache for each in its memory is worth,
and what one that all share in Redis. Prints a table. Run: python -m bench.replicas [--seed N]

Only what the caches decide is simulated: whose entry, of which generation, how old. What a read or a
write takes of Redis was counted at a real one; tests/cache/test_round_trips.py counts again.
"""

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

REQUESTS_PER_SECOND = 500
WARM_UP_SECONDS = 60.0  # one ttl: until then, caches are emptier than they will be
COUNTED_SECONDS = 240.0
TTL_SECONDS = 60.0
READ_SECONDS = 0.02  # a read at OL Connect
WRITES = 0.05  # of all requests

# Round trips between a gateway and Redis. Hits of one moment share theirs: this is the most.
HIT_TRIPS = 1
MISS_TRIPS = 7
WRITE_TRIPS = 2
POLL_SECONDS = 0.015  # on average, of whoever waits for another replica's read


@dataclass(frozen=True, slots=True)
class Scene:
    """``teams`` have an account each at OL Connect, hence entries of their own."""

    replicas: int
    teams: int
    entities: int


SCENES = (
    *(Scene(replicas, 10, 100) for replicas in (1, 3, 10, 100, 1000)),
    *(Scene(10, teams, 100) for teams in (1, 100, 1000)),
    *(Scene(10, 10, entities) for entities in (1, 10, 1000)),
)


@dataclass(frozen=True, slots=True)
class Request:
    time: float
    replica: int
    team: int
    entity: int
    is_write: bool


@dataclass(frozen=True, slots=True)
class Entry:
    began: float
    version: int


@dataclass(slots=True)
class Tally:
    reads: int = 0
    hits: int = 0
    upstream: int = 0
    wrong: int = 0
    trips: float = 0


def requests(scene: Scene, chance: random.Random) -> Iterator[Request]:
    """At random moments, through any replica; the n-th entity is asked for 1/n as often as the first."""
    entities = range(scene.entities)
    weights = list(accumulate(1 / (n + 1) for n in entities))
    time = 0.0
    while (
        time := time + chance.expovariate(REQUESTS_PER_SECOND)
    ) < WARM_UP_SECONDS + COUNTED_SECONDS:
        yield Request(
            time,
            chance.randrange(scene.replicas),
            chance.randrange(scene.teams),
            chance.choices(entities, cum_weights=weights)[0],
            chance.random() < WRITES,
        )


@dataclass(slots=True)
class Caches:
    """All replicas' caches: one each, or one for all."""

    is_shared: bool
    tally: Tally = field(default_factory=Tally)
    entries: dict[tuple[int, int, int], Entry] = field(default_factory=dict)
    written: dict[tuple[int, int], float] = field(default_factory=dict)  # where it is known

    def take(self, request: Request, version: int) -> None:
        """``version``: of the entity at OL Connect; a write has just made it."""
        place = 0 if self.is_shared else request.replica
        tally = self.tally if request.time >= WARM_UP_SECONDS else Tally()
        if request.is_write:
            self.written[place, request.entity] = request.time
            tally.trips += WRITE_TRIPS
            return
        tally.reads += 1
        key = place, request.team, request.entity
        entry = self.entries.get(key)
        if entry is None or not self._is_good(entry, request, place):
            self.entries[key] = Entry(request.time, version)
            tally.upstream += 1
            tally.trips += MISS_TRIPS
            return
        tally.hits += 1
        tally.wrong += entry.version < version
        tally.trips += HIT_TRIPS
        tally.trips += max(0.0, entry.began + READ_SECONDS - request.time) / POLL_SECONDS

    def _is_good(self, entry: Entry, request: Request, place: int) -> bool:
        written = self.written.get((place, request.entity), -1.0)
        return entry.began > written and request.time - entry.began < TTL_SECONDS


def simulate(scene: Scene, seed: int) -> tuple[Tally, Tally]:
    """The same requests, with a cache each and with one for all."""
    each, shared = Caches(is_shared=False), Caches(is_shared=True)
    versions = [0] * scene.entities
    for request in requests(scene, random.Random(seed)):
        versions[request.entity] += request.is_write
        for caches in (each, shared):
            caches.take(request, versions[request.entity])
    return each.tally, shared.tally


def row(scene: Scene, each: Tally, shared: Tally) -> str:
    cells = [
        f"{scene.replicas:,}",
        f"{scene.teams:,}",
        f"{scene.entities:,}",
        f"{each.hits / each.reads:.0%}",
        f"{each.upstream / COUNTED_SECONDS:.0f}",
        f"{each.wrong / each.reads:.1%}",
        f"{shared.hits / shared.reads:.0%}",
        f"{shared.upstream / COUNTED_SECONDS:.0f}",
        f"{shared.wrong / shared.reads:.1%}",
        f"{shared.trips / COUNTED_SECONDS:,.0f}",
    ]
    return f"| {' | '.join(cells)} |"


HEAD = (
    "| replicas | teams | entities | memory: hits | reads/s at OL Connect | wrong answers "
    "| Redis: hits | reads/s at OL Connect | wrong answers | round trips/s |"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed
    print(HEAD)
    print("|" + " ---: |" * HEAD.count(" | ") + " ---: |")
    for scene in SCENES:
        print(row(scene, *simulate(scene, seed)), flush=True)


if __name__ == "__main__":
    main()

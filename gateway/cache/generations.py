"""Which reads began before which writes, within one process."""

from collections import Counter
from collections.abc import Callable, Iterable

from gateway.cache.entries import DOUBT_SECONDS, Target
from gateway.model import Thing

MAX_WRITTEN = 100_000
MAX_DOUBTS = 50_000


class Generations:
    """A clock that counts reads and writes. An entity's generation is its last write's time.

    Only the last ``max_written`` are known apart. Of what was written earlier, or never, it is
    assumed that it was written with the latest of the forgotten: at worst a read too many.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float],
        max_written: int = MAX_WRITTEN,
        max_doubts: int = MAX_DOUBTS,
    ) -> None:
        self._now = now
        self._max_written = max_written
        self._max_doubts = max_doubts
        self._clock = 0
        self._forgotten = 0
        self._written: dict[Target, int] = {}  # oldest write first
        self._under_way: Counter[Target] = Counter()
        self._doubts: dict[Target, float] = {}  # when they end, soonest first

    def tick(self) -> int:
        self._clock += 1
        return self._clock

    def of(self, thing: Thing) -> int:
        return max(
            self._written.get(thing, self._forgotten),
            self._written.get(thing.kind, self._forgotten),
        )

    def begin(self, targets: Iterable[Target]) -> None:
        for target in targets:
            self._raise(target)
            self._under_way[target] += 1

    def end(self, targets: Iterable[Target], *, doubtful: bool) -> None:
        for target in targets:
            self._raise(target)
            self._under_way[target] -= 1
            if not self._under_way[target]:
                del self._under_way[target]
            if doubtful:
                self._doubt(target)

    def uncertain(self, thing: Thing) -> bool:
        """Whether a write is under way, or may still be carried out."""
        now = self._now()
        return any(
            target in self._under_way or self._doubts.get(target, 0.0) > now
            for target in (thing, thing.kind)
        )

    def _raise(self, target: Target) -> None:
        self._written.pop(target, None)
        self._written[target] = self.tick()
        if len(self._written) > self._max_written:
            self._forgotten = self._written.pop(next(iter(self._written)))

    def _doubt(self, target: Target) -> None:
        now = self._now()
        while self._doubts and (oldest := next(iter(self._doubts.items())))[1] <= now:
            del self._doubts[oldest[0]]
        if isinstance(target, Thing) and len(self._doubts) >= self._max_doubts:
            target = target.kind
        self._doubts.pop(target, None)
        self._doubts[target] = now + DOUBT_SECONDS

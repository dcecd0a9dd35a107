"""What every store promises: small facts with an expiry date, in lists if need be, and messages.

The changes of :meth:`Store.apply` are data, so that several of them travel in one round trip.
"""

import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

MAY_HAVE_MISSED = b""
"""What a subscription yields when messages before this point may not have been seen."""

SHORTEST_TTL_SECONDS = 0.001
LONGEST_TTL_SECONDS = 100 * 365 * 86400.0


class StoreUnusable(Exception):
    """The configured store cannot be used as it is; the message is for the operator at the start.

    Never for callers: it names files. What fails later is `gateway.problems.StoreUnavailable`.
    """


class Put(NamedTuple):
    """Set a key, whatever it held, and list it under a name, or no longer under any."""

    key: str
    value: bytes
    ttl: float
    listed: str | None = None
    score: float = 0.0


class Delete(NamedTuple):
    """Drop a key, if it is there."""

    key: str


Change: TypeAlias = Put | Delete


class Store(Protocol):
    """Keys and values, each in one list at most, and messages. Keys and lists' names never meet.

    Times to live are seconds, at least a millisecond. A key is gone, from its list as well, from
    the instant its time is over. Whatever the backend does wrong is raised as
    ``StoreUnavailable``; whether the change was made is then unknown. Text may hold lone
    surrogates, as header values do.
    """

    shared: bool
    """Whether other processes see what is written and published here."""

    async def get(self, key: str) -> bytes | None:
        """The value, or None for a key that is absent or expired."""
        ...

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """One value or None per key, in the order of the keys."""
        ...

    async def put_if_absent(self, key: str, value: bytes, ttl: float) -> bytes | None:
        """None if the value was written, else the value that was there and stays."""
        ...

    async def swap(self, expected: bytes | None, change: Change) -> bool:
        """Make the change if its key holds ``expected``, None for absent; else False, and none."""
        ...

    async def increment(self, key: str, by: int, ttl: float) -> int:
        """Add to a counter that starts at 0 and return its new value; its ttl starts again.

        ``get`` shows it as decimal text. Raises ValueError if the key holds something else.
        """
        ...

    async def listed(
        self, name: str, *, limit: int, newest_first: bool = True, minimum: float | None = None
    ) -> list[bytes]:
        """Up to ``limit`` values of a list, highest score first unless told otherwise.

        Equal scores are ordered by key; what has a score below ``minimum`` is left out.
        """
        ...

    async def count(self, name: str) -> int:
        """How many keys the list has."""
        ...

    async def apply(self, changes: Sequence[Change]) -> None:
        """Make all changes, in their order, in one step and one round trip: all or none.

        A thousand are enough for one step: a store that is shared serves nobody else meanwhile.
        """
        ...

    async def publish(self, channel: str, message: bytes) -> None:
        """Hand a message, not empty, to every subscription that exists now."""
        ...

    def subscribe(self, channel: str) -> AsyncGenerator[bytes, None]:
        """The channel's messages from here on, until the store is closed.

        ``MAY_HAVE_MISSED`` comes first (the subscription now exists), after every lost
        connection, and in place of messages that piled up unread. Never raises StoreUnavailable.
        """
        ...

    async def ping(self) -> None:
        """Return if the backend answers."""
        ...

    async def close(self) -> None:
        """Give everything back; subscriptions end. Nothing may be called after it."""
        ...

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """Set a key, whatever it held; it is in no list."""
        await self.apply((Put(key, value, ttl),))

    async def put_many(self, values: Mapping[str, bytes], ttl: float) -> None:
        """Set several keys in one step."""
        await self.apply([Put(key, value, ttl) for key, value in values.items()])

    async def delete(self, *keys: str) -> None:
        """Drop the keys that are there."""
        await self.apply([Delete(key) for key in keys])


def effective_ttl(ttl: float) -> float:
    """The ttl in seconds, within what every backend can express."""
    return min(max(ttl, SHORTEST_TTL_SECONDS), LONGEST_TTL_SECONDS)


def ttl_milliseconds(ttl: float) -> int:
    return math.ceil(effective_ttl(ttl) * 1000)


def counter(value: bytes | None) -> int:
    """The number a counter's value stands for. Raises ValueError for anything else."""
    return int(value) if value is not None else 0


def as_bytes(text: str) -> bytes:
    # Header values decoded with surrogateescape hold lone surrogates, which plain UTF-8 refuses.
    return text.encode("utf-8", "surrogatepass")


def as_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")

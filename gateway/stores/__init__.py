"""Where small facts with an expiry date are kept: in memory, in a SQLite file or in Redis."""

import time
from collections.abc import Callable
from pathlib import Path

from gateway.stores.contract import (
    MAY_HAVE_MISSED,
    Change,
    Delete,
    Put,
    Store,
    StoreUnusable,
)
from gateway.stores.memory import MemoryStore
from gateway.stores.sqlite import SqliteStore

__all__ = [
    "MAY_HAVE_MISSED",
    "Change",
    "Delete",
    "Put",
    "Store",
    "StoreUnusable",
    "open_store",
]


async def open_store(url: str, *, base: Path, now: Callable[[], float] = time.time) -> Store:
    """``memory:``, ``sqlite:PATH`` (relative to ``base``) or ``redis[s]://HOST:PORT/DB``.

    Raises StoreUnusable for what the operator has to put right. That Redis cannot be reached is
    not such a thing: it may come later. Redis keeps its own time and does not ask ``now``.
    """
    scheme, _, rest = url.partition(":")
    if url == "memory:":
        return MemoryStore(now=now)
    if scheme == "sqlite" and rest:
        return await SqliteStore.open(base / rest, now=now)
    if scheme in {"redis", "rediss"}:
        return _redis_store(url)
    raise StoreUnusable("The store must be memory:, sqlite:PATH or redis://HOST:PORT/DB.")


def _redis_store(url: str) -> Store:
    try:
        # Here, since it is an extra, and takes as long to import as everything else together.
        from gateway.stores.redis import RedisStore  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise StoreUnusable(
            "A redis:// store needs the redis extra: pip install 'olconnect-gateway[redis]'."
        ) from error
    return RedisStore(url)

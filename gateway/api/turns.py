"""One at a time: reading, comparing and writing an entity's values is one step (RFC 9110 13.2)."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from weakref import WeakValueDictionary

from gateway.problems import StoreUnavailable, UpstreamOverloaded
from gateway.stores import Delete, Store

# A turn outlives its holder by this much at most, should the process end in the middle of it.
_HOLD_SECONDS = 120.0
_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.02
_RETRY_AFTER = "1"


class Turns:
    """Turns by name: among all processes where the store is shared, else within this one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def take(self, names: Iterable[str]) -> AsyncIterator[None]:
        """Hold the turns of all ``names``. Raises UpstreamOverloaded after a long wait.

        They are taken in one order, so that no two wait for each other.
        """
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    for name in sorted(set(names)):
                        await stack.enter_async_context(self._one(name))
            except TimeoutError as error:
                raise UpstreamOverloaded(
                    "Other changes of the same object are still under way.",
                    headers={"Retry-After": _RETRY_AFTER},
                ) from error
            yield

    @asynccontextmanager
    async def _one(self, name: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            if not self._store.shared:
                yield
                return
            async with self._among_processes(f"turn:{name}"):
                yield

    @asynccontextmanager
    async def _among_processes(self, key: str) -> AsyncIterator[None]:
        mine = secrets.token_bytes(12)
        try:
            # Nothing tells of another process's end but looking again.
            while await self._is_held(key, mine):  # noqa: ASYNC110
                await asyncio.sleep(_PAUSE_SECONDS)
            yield
        finally:
            # What cannot be given back now ends by itself.
            with suppress(StoreUnavailable):
                await self._store.swap(mine, Delete(key))

    async def _is_held(self, key: str, mine: bytes) -> bool:
        """By another; if by nobody, it is ours now."""
        return await self._store.put_if_absent(key, mine, _HOLD_SECONDS) is not None

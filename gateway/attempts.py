"""The written record of a start: from before it is sent until what came of it is in the ledger.

With an ``Idempotency-Key``, the key's own record says where to look: at the attempt as long as its
outcome is unknown, then at what was answered.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic_core import to_json

from gateway.ledger import ENDED_SECONDS, Ledger
from gateway.operation import Operation
from gateway.problems import IdempotencyInProgress
from gateway.recovery import Recovery, attempt_key, record_of
from gateway.stores import Change, Delete, Put, Store

# How long a key stays taken if the gateway is killed while it prepares a start.
_PREPARING_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What OL Connect answered, its header lines as callers may see them."""

    status: int
    lines: tuple[tuple[str, str], ...]
    body: bytes = b""
    operation: Operation | None = None
    replayed: bool = False


class Attempts:
    """Writes attempts down. ``started`` is told of every operation that came of one."""

    def __init__(
        self,
        *,
        store: Store,
        ledger: Ledger,
        recovery: Recovery,
        started: Callable[[Operation], None],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._recovery = recovery
        self._started = started

    async def hold_key(self, attempt: Operation) -> bytes | None:
        """Take the attempt's key, if it has one, while something else comes first.

        Returns what ``announce`` and ``free_key`` have to be told. Raises IdempotencyInProgress.
        """
        if attempt.idempotency is None:
            return None
        key, fingerprint = attempt.idempotency
        record = _record("running", fingerprint, attempt.id)
        if await self._store.put_if_absent(key, record, _PREPARING_SECONDS) is not None:
            raise IdempotencyInProgress(headers={"Retry-After": "1"})
        return record

    async def free_key(self, attempt: Operation, held: bytes | None) -> None:
        if attempt.idempotency is not None:
            await self._store.swap(held, Delete(attempt.idempotency[0]))

    async def announce(self, attempt: Operation, held: bytes | None = None) -> None:
        """Write down that an attempt is about to be sent. Raises IdempotencyInProgress."""
        self._recovery.announce(attempt)
        try:
            # Before the key: a record of a key always finds its attempt, or its outcome.
            await self._store.apply((record_of(attempt),))
            if attempt.idempotency is not None:
                await self._take_key(attempt, *attempt.idempotency, held)
        except BaseException:
            self._recovery.forget(attempt)
            raise

    async def _take_key(
        self, attempt: Operation, key: str, fingerprint: str, held: bytes | None
    ) -> None:
        record = _record("running", fingerprint, attempt.id)
        if held is None:
            taken = await self._store.put_if_absent(key, record, ENDED_SECONDS) is None
        else:
            # It has to live longer now.
            taken = await self._store.swap(held, Put(key, record, ENDED_SECONDS))
        if not taken:
            await self._store.delete(attempt_key(attempt.id))
            raise IdempotencyInProgress(headers={"Retry-After": "1"})

    async def find(self, id_: str) -> Operation | None:
        """The attempt, if what came of it is not written down."""
        value = await self._store.get(attempt_key(id_))
        return None if value is None else Operation.from_bytes(value)

    async def settle(self, attempt: Operation, answer: Answer | None) -> None:
        """Replace the announcement by what came of it, in one step."""
        changes: list[Change] = [Delete(attempt_key(attempt.id))]
        operation = None if answer is None else answer.operation
        if attempt.idempotency is not None:
            key, fingerprint = attempt.idempotency
            changes.append(
                Delete(key)
                if answer is None or operation is None
                else Put(key, _record("done", fingerprint, operation.id, answer), ENDED_SECONDS)
            )
        try:
            if operation is None:
                await self._store.apply(changes)
            else:
                await self._ledger.claim(operation, *changes)
                self._started(operation)
        except BaseException:
            # The attempt is still written down: housekeeping settles it when the store is back.
            self._recovery.postpone(attempt, operation)
            raise
        self._recovery.forget(attempt)


def _record(state: str, fingerprint: str, id_: str, answer: Answer | None = None) -> bytes:
    status, lines = (0, ()) if answer is None else (answer.status, answer.lines)
    return to_json(
        {"state": state, "fingerprint": fingerprint, "id": id_, "status": status, "lines": lines}
    )

"""Starting operations: announced before they are sent, claimed before they are answered, never
sent twice.

A start is written down before it leaves, so that one whose answer is lost, with the connection or
with the gateway itself, can be found again among OL Connect's running operations
(``gateway.recovery``). An ``Idempotency-Key`` is part of the same record.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Any, Protocol

from pydantic_core import from_json

from gateway.attempts import Answer, Attempts
from gateway.connect import Connect
from gateway.ledger import Ledger
from gateway.limits import Limiter
from gateway.operation import Operation
from gateway.problems import (
    IdempotencyInProgress,
    IdempotencyMismatch,
    MalformedRequest,
    Problem,
    UpstreamOverloaded,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from gateway.recovery import Recovery
from gateway.rules import headers, operations
from gateway.rules.links import Origins
from gateway.settings import Limits
from gateway.stores import Store
from gateway.tasks import TaskSet
from gateway.upstream.call import Call

_BODY_LIMIT = 1024 * 1024
_KEY_CHARACTERS = 255
# From something between the gateway and OL Connect, which may have got the request all the same.
_OF_A_PROXY = frozenset({502, 504})


class Closing(Protocol):
    def close(self) -> None: ...


@dataclass(slots=True)
class Start:
    """A start about to be sent. ``operation`` is its record but for the id, which OL Connect gives.

    ``fingerprint`` tells one request from another under the same idempotency ``key``. ``prepare``
    does what must come before the call, with the key taken, and so never for a replay. ``held``,
    such as a file that is sent, is closed when the start has come to its end.
    """

    operation: Operation
    call: Call
    key: str | None = None
    fingerprint: str = ""
    prepare: Callable[[], Awaitable[None]] | None = None
    held: Closing | None = None

    def close(self, _: object = None) -> None:
        if self.held is not None:
            self.held.close()


class Starts:
    """Sends starts. ``now`` gives Unix time."""

    def __init__(
        self,
        *,
        store: Store,
        ledger: Ledger,
        limiter: Limiter,
        connect: Connect,
        recovery: Recovery,
        origins: Origins,
        tasks: TaskSet,
        now: Callable[[], float],
        started: Callable[[Operation], None],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._attempts = Attempts(store=store, ledger=ledger, recovery=recovery, started=started)
        self._limiter = limiter
        self._connect = connect
        self._recovery = recovery
        self._origins = origins
        self._tasks = tasks
        self._now = now
        self._started = started

    async def admit(self, team: str, limits: Limits, key: str | None) -> None:
        """Raises TooManyOperations, but not for a known key, under which nothing is started."""
        if key is None or await self._store.get(_idempotency_key(team, key)) is None:
            await self._limiter.admit_start(team, limits)

    async def begin(self, start: Start, limits: Limits) -> Answer:
        """Send a start once, or answer as the first one under the same key was answered.

        Raises IdempotencyMismatch, IdempotencyInProgress, TooManyOperations, StoreUnavailable, or
        what asking OL Connect raises, then with the member ``started``: "no" or "unknown".
        """
        work = None
        try:
            idempotency = None
            if start.key is not None:
                idempotency = (_idempotency_key(start.operation.team, start.key), start.fingerprint)
                earlier = await self._earlier(*idempotency)
                if earlier is not None:
                    return earlier
            attempt = replace(
                start.operation, id=token_hex(12), created=self._now(), idempotency=idempotency
            )
            # A caller who leaves must not take along the only one who knows whom the operation is
            # for: the rest happens in a task of its own.
            work = self._tasks.start(self._perform_within(limits, start, attempt), name="start")
            return await asyncio.shield(work)
        finally:
            if work is None:
                start.close()
            else:
                work.add_done_callback(start.close)

    async def _perform_within(self, limits: Limits, start: Start, attempt: Operation) -> Answer:
        if limits.running_operations is None:
            return await self._perform(start, attempt)
        async with self._limiter.starting(attempt.team, limits.running_operations):
            return await self._perform(start, attempt)

    async def _perform(self, start: Start, attempt: Operation) -> Answer:
        call, held = start.call, None
        if start.prepare is not None:
            held = await self._prepare(start.prepare, attempt)
            attempt = replace(attempt, created=self._now())
        await self._attempts.announce(attempt, held)
        try:
            answer = await self._send(call, attempt)
        except Problem as problem:
            return await self._after_failure(call, attempt, problem)
        except BaseException:
            self._recovery.abandon(attempt)
            raise
        if answer.operation is None and answer.status in _OF_A_PROXY:
            found = await self._recovery.find(attempt)
            return answer if found is None else await self.adopt(attempt, found)
        # Without an operation OL Connect has refused: the key is free for a better request.
        await self._attempts.settle(attempt, answer)
        return answer

    async def _prepare(
        self, prepare: Callable[[], Awaitable[None]], attempt: Operation
    ) -> bytes | None:
        """Prepare under the key; returns its hold. Nothing to recover exists as yet."""
        held = await self._attempts.hold_key(attempt)
        try:
            await _before_start(prepare)
        except BaseException:
            await self._attempts.free_key(attempt, held)
            raise
        return held

    async def _send(self, call: Call, attempt: Operation) -> Answer:
        async with self._connect.ask(
            call, team=attempt.team, credential=attempt.credential, repeatable=False
        ) as response:
            lines = tuple(headers.for_caller(response.raw_headers, self._origins, call.path))
            id_ = operations.id_in(response.raw_headers)
            if id_ is not None:
                return Answer(response.status, lines, operation=replace(attempt, id=id_))
            body = await self._connect.upstream.read(response, _BODY_LIMIT)
            return Answer(response.status, lines, body)

    async def _after_failure(self, call: Call, attempt: Operation, problem: Problem) -> Answer:
        if not call.sent or call.failure is not None:
            # No byte left, or the body was never complete: OL Connect has nothing to run.
            await self._attempts.settle(attempt, None)
            if isinstance(problem, UpstreamTimeout | UpstreamUnreachable | UpstreamOverloaded):
                problem.members["started"] = "no"
            raise problem
        found = await self._recovery.find(attempt)
        if found is not None:
            return await self.adopt(attempt, found)
        if self._recovery.is_excluded(attempt):
            # Not listed when asked at once: the key is free to start it, if it is sent again.
            await self._attempts.settle(attempt, None)
        problem.members["started"] = "unknown"
        raise problem

    async def claim(self, operation: Operation, id_: str) -> None:
        """Write down an operation that began in answer to a request that was not to begin one."""
        operation = replace(operation, id=id_, created=self._now())
        await self._ledger.claim(operation)
        self._started(operation)

    async def adopt(self, attempt: Operation, operation: Operation) -> Answer:
        """Write down an operation that was found again; returns what its start is answered."""
        lines = operations.link_lines(operation.service, operation.id, self._origins.public)
        answer = Answer(202, (("operationId", operation.id), *lines), operation=operation)
        # Housekeeping and a caller's second request may have found it at the same time.
        if await self._attempts.find(attempt.id) is not None:
            await self._attempts.settle(attempt, answer)
        return answer

    async def _earlier(self, key: str, fingerprint: str) -> Answer | None:
        value = await self._store.get(key)
        if value is None:
            return None
        record: dict[str, Any] = from_json(value)
        if record["fingerprint"] != fingerprint:
            raise IdempotencyMismatch(parameter="Idempotency-Key")
        if record["state"] == "running":
            return await self._unsettled(record["id"])
        lines = tuple((name, text) for name, text in record["lines"])
        operation = await self._ledger.operation(record["id"])
        return Answer(record["status"], lines, operation=operation, replayed=True)

    async def _unsettled(self, attempt_id: str) -> Answer:
        """The first request under the key is under way, or its fate is unknown: look again."""
        attempt = await self._attempts.find(attempt_id)
        if attempt is None or self._recovery.is_under_way(attempt):
            # No attempt any more: its outcome is being written at this moment.
            raise IdempotencyInProgress(headers={"Retry-After": "1"})
        found = await self._recovery.find(attempt)
        if found is not None:
            return replace(await self.adopt(attempt, found), replayed=True)
        raise UpstreamTimeout(
            "An earlier request with this Idempotency-Key may have started an operation, but OL "
            "Connect does not list it. Look for its result before you use a new key.",
            members={"started": "unknown"},
        )


def checked_key(value: str | None) -> str | None:
    """An ``Idempotency-Key`` as sent. Raises MalformedRequest."""
    if value is None:
        return None
    if not value or len(value) > _KEY_CHARACTERS or not value.isascii() or not value.isprintable():
        raise MalformedRequest(
            f"An Idempotency-Key has 1 to {_KEY_CHARACTERS} printable ASCII characters.",
            parameter="Idempotency-Key",
        )
    return value


def fingerprint(method: str, target: str, content_type: str, body_digest: str) -> str:
    """What makes two requests the same request; the team is part of the key."""
    text = "\n".join((method, target, content_type, body_digest))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


async def _before_start(prepare: Callable[[], Awaitable[None]]) -> None:
    try:
        await prepare()
    except (UpstreamTimeout, UpstreamUnreachable) as problem:
        problem.members["started"] = "no"
        raise


def _idempotency_key(team: str, key: str) -> str:
    return f"idempotency:{team}:{hashlib.sha256(key.encode()).hexdigest()}"

"""Starts whose answer was lost, found again among the operations that OL Connect is running.

Attempts are in the store from before they are sent until their fate is known, so those of a
gateway that was killed are found by the next one.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import structlog

from gateway.connect import Connect
from gateway.ledger import ENDED_SECONDS, Ledger
from gateway.model import Kind, Thing
from gateway.operation import Operation
from gateway.problems import Problem, UpstreamInvalidResponse
from gateway.rules import documents, operations, reconcile
from gateway.rules.reconcile import Attempt, Listed
from gateway.stores import Put, Store
from gateway.upstream.call import Call

log = structlog.get_logger("gateway.recovery")

_ATTEMPTS = "attempts"
# Longer than anybody asks for the outcome under an idempotency key.
_ATTEMPT_SECONDS = ENDED_SECONDS + 3600.0
_LIST_BYTES = 16 * 1024 * 1024
_SETTLING_SECONDS = 2.0
# An operation that OL Connect does not list this soon after the request left was never begun: its
# engines need longer than this for the smallest job.
_PROOF_SECONDS = 0.04
_SEARCHED_SECONDS = 600.0
_EARLY_SECONDS = 0.05
# After its connection broke, OL Connect may still have been about to begin it.
_LATE_SECONDS = 0.25
_LAG_SECONDS = 2.0
_MOST_ATTEMPTS = 5000


Adopt = Callable[[Operation, Operation], Awaitable[Any]]
"""Told an attempt and the operation it began."""


def attempt_key(id_: str) -> str:
    return f"attempt:{id_}"


def record_of(attempt: Operation) -> Put:
    """What is written down before an attempt is sent."""
    return Put(
        attempt_key(attempt.id), attempt.to_bytes(), _ATTEMPT_SECONDS, _ATTEMPTS, attempt.created
    )


class Recovery:
    """Attempts are Operations with an id of our own and ``created`` the time they were sent."""

    def __init__(
        self,
        *,
        store: Store,
        ledger: Ledger,
        connect: Connect,
        now: Callable[[], float],
        longest_seconds: float,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._connect = connect
        self._now = now
        self._longest_seconds = longest_seconds
        self._opened = now()
        self._under_way: dict[str, Operation] = {}
        # Of those under way whose outcome somebody waits for.
        self._outcomes: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._failed: dict[str, tuple[Operation, float]] = {}
        self._found: dict[str, str] = {}
        self._excluded: set[str] = set()
        # Any of these may have begun an operation that was given to its team.
        self._suspected: set[str] = set()
        self._answered = 0.0  # when OL Connect last listed its operations
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def announce(self, attempt: Operation) -> None:
        self._under_way[attempt.id] = attempt

    def forget(self, attempt: Operation) -> None:
        """Its fate is known and written down."""
        self._leave(attempt)
        self._failed.pop(attempt.id, None)
        self._found.pop(attempt.id, None)
        self._excluded.discard(attempt.id)
        self._suspected.discard(attempt.id)

    def abandon(self, attempt: Operation) -> None:
        """The gateway is ending in the middle of it; the next one will look for it."""
        self._leave(attempt)

    def postpone(self, attempt: Operation, operation: Operation | None) -> None:
        """Its fate is known, but could not be written down."""
        if operation is not None:
            self._found[attempt.id] = operation.id
        self._leave(attempt)

    def _leave(self, attempt: Operation) -> None:
        self._under_way.pop(attempt.id, None)
        outcome = self._outcomes.pop(attempt.id, None)
        if outcome is not None:
            outcome.set()

    def is_under_way(self, attempt: Operation) -> bool:
        """Whether an answer may still come, here or in another process."""
        if attempt.id in self._under_way:
            return True
        return self._store.shared and attempt.id not in self._failed and self._may_live(attempt)

    def is_excluded(self, attempt: Operation) -> bool:
        """Whether OL Connect was asked so soon that the operation cannot have come and gone."""
        return attempt.id in self._excluded

    async def find(self, attempt: Operation) -> Operation | None:
        """The operation that a start with a lost answer began, if that is certain."""
        # What began later than a request may take was begun by somebody else.
        latest = min(self._now(), attempt.created + self._longest_seconds)
        self._failed.setdefault(attempt.id, (attempt, latest))
        self._leave(attempt)
        async with self._turns[attempt.service]:
            if attempt.id not in self._found:
                with suppress(Problem):
                    await self._match(attempt)
        id_ = self._found.get(attempt.id)
        return None if id_ is None else replace(attempt, id=id_)

    async def sweep(self, adopt: Adopt) -> int:
        """Look for what other, ended gateways left behind; returns how many were found."""
        found = 0
        await self._take_over()
        lost = [attempt for attempt in await self._written() if attempt.id in self._failed]
        for service in {attempt.service for attempt in lost}:
            attempts = [attempt for attempt in lost if attempt.service == service]
            # All at once: one by one they would take longer than some operations run.
            with suppress(Problem):
                async with self._turns[service]:
                    await self._match(attempts[0])
                    found += await self._give_to_teams(attempts[0])
            found += await self._rescue(attempts, adopt)
        return found

    async def _written(self) -> list[Operation]:
        """The attempts in the store that are still looked for, oldest first."""
        values = await self._store.listed(
            _ATTEMPTS,
            limit=_MOST_ATTEMPTS,
            newest_first=False,
            minimum=self._now() - _SEARCHED_SECONDS,
        )
        return list(map(Operation.from_bytes, values))

    async def _take_over(self) -> list[Operation]:
        """Make the attempts of ended gateways ours; returns those that others may have in hand.

        Whoever looks for one attempt has to know all: any of them may have begun an operation.
        """
        alive = []
        written = await self._written()
        for attempt in written:
            if attempt.id in self._failed or attempt.id in self._under_way:
                continue
            latest = attempt.created + self._longest_seconds
            if not self._store.shared:
                # Whoever sent it was gone when this process began; OL Connect may have lagged.
                latest = min(latest, max(attempt.created, self._opened) + _LAG_SECONDS)
            elif self._may_live(attempt):
                alive.append(attempt)
                continue
            self._failed[attempt.id] = (attempt, latest)
            log.warning("start_of_unknown_fate", team=attempt.team, endpoint=attempt.endpoint)
        if len(written) < _MOST_ATTEMPTS:
            known = {attempt.id for attempt in written}
            for id_ in self._failed.keys() - known:
                del self._failed[id_]
            self._suspected &= self._failed.keys()
        return alive

    async def _give_to_teams(self, attempt: Operation) -> int:
        """Write down whose the operations are that came of one of several starts of one team.

        Which of the starts it was stays unknown, and so do their keys; but nothing is lost.
        """
        attempts, listed = await self._candidates(attempt)
        by_id = {operation.id: operation for operation in listed}
        given = reconcile.teams(attempts, listed)
        self._suspected.update(
            attempt.id
            for attempt in attempts
            if any(attempt.may_have_begun(by_id[operation_id]) for operation_id in given)
        )
        for operation_id, attempt_id in given.items():
            lost = self._failed[attempt_id][0]
            await self._ledger.claim(
                replace(
                    lost,
                    id=operation_id,
                    created=max(lost.created, by_id[operation_id].earliest),
                    presets=(),
                    simplified=False,
                    idempotency=None,
                )
            )
            log.info("operation_recovered", team=lost.team, operation_id=operation_id)
        return len(given)

    async def _rescue(self, attempts: Sequence[Operation], adopt: Adopt) -> int:
        found = [attempt for attempt in attempts if attempt.id in self._found]
        for attempt in found:
            operation = replace(attempt, id=self._found[attempt.id])
            await adopt(attempt, operation)
            log.info("operation_recovered", team=attempt.team, operation_id=operation.id)
        return len(found)

    def _may_live(self, attempt: Operation) -> bool:
        return self._now() < attempt.created + self._longest_seconds

    async def _match(self, attempt: Operation) -> None:
        """Ask OL Connect once for all lost starts of the service, and give out what is certain."""
        asked = self._now()
        attempts, listed = await self._candidates(attempt)
        self._found |= reconcile.assign(attempts, listed)
        if listed:
            return
        for id_, (lost, failed_at) in self._failed.items():
            soon = self._answered - lost.created <= _PROOF_SECONDS and failed_at <= asked
            if lost.service == attempt.service and soon and not self._may_have_begun(id_):
                self._excluded.add(id_)

    def _may_have_begun(self, id_: str) -> bool:
        """Whether an operation that is not listed any more may be what an attempt began."""
        return id_ in self._found or id_ in self._suspected

    async def _candidates(self, attempt: Operation) -> tuple[list[Attempt], list[Listed]]:
        """All starts that may have begun, and all operations of the service that nobody owns."""
        listed = await self._listed(attempt)
        self._answered = self._now()
        await self._let_settle(attempt.service)
        free = await self._unclaimed(listed)
        attempts = await self._attempts(attempt.service)
        offset = self._connect.clock_offset
        if free and not offset.is_known:
            raise UpstreamInvalidResponse("OL Connect does not say what time it is.")
        return attempts, [Listed(id_, *offset.ours(began)) for id_, began in free.items()]

    async def _listed(self, attempt: Operation) -> dict[str, float]:
        """What runs at OL Connect, id to Unix time of its clock."""
        call = Call("GET", operations.listing_of(attempt.service), headers=[_UNCODED])
        async with self._connect.ask(
            call, team=attempt.team, credential=attempt.credential, repeatable=True
        ) as response:
            body = await self._connect.upstream.read(response, _LIST_BYTES)
            if response.status != 200:
                raise UpstreamInvalidResponse
        return dict(_entries(documents.read(body)))

    async def _let_settle(self, service: str) -> None:
        """Wait for starts in flight: what they began is listed, too, but not yet claimed."""
        outcomes = [
            self._outcomes[attempt.id].wait()
            for attempt in self._under_way.values()
            if attempt.service == service
        ]
        if outcomes:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SETTLING_SECONDS):
                    await asyncio.gather(*outcomes)

    async def _unclaimed(self, listed: dict[str, float]) -> dict[str, float]:
        owners = await self._ledger.owners([Thing(Kind.OPERATION, id_) for id_ in listed])
        taken = set(self._found.values())
        return {
            id_: began
            for (id_, began), owner in zip(listed.items(), owners, strict=True)
            if owner is None and id_ not in taken
        }

    async def _attempts(self, service: str) -> list[Attempt]:
        """Everything that can have begun an operation of the service, here or elsewhere."""
        open_ = await self._take_over()
        open_ += self._under_way.values()
        until = self._now() + self._longest_seconds
        attempts = [
            _as_attempt(lost, latest, open_=False)
            for lost, latest in self._failed.values()
            if lost.service == service
        ]
        return attempts + [
            _as_attempt(attempt, until, open_=True)
            for attempt in open_
            if attempt.service == service
        ]


_UNCODED = ("Accept-Encoding", "identity")


def _as_attempt(lost: Operation, latest: float, *, open_: bool) -> Attempt:
    # Only the same request, as far as is known, may be given the other's operation.
    request = lost.id if lost.idempotency is None else lost.idempotency[1]
    owner = "\0".join((lost.team, lost.issuer, lost.subject, lost.endpoint, request))
    earliest = lost.created - _EARLY_SECONDS
    return Attempt(lost.id, owner, lost.team, earliest, latest + _LATE_SECONDS, open_)


def _entries(document: Any) -> Iterable[tuple[str, float]]:
    """Id and start of every operation of a JSON Operations List."""
    for entry in document if isinstance(document, list) else ():
        if not isinstance(entry, dict):
            continue
        id_, began = entry.get("id"), entry.get("startTime")
        if isinstance(id_, str) and isinstance(began, int | float):
            yield id_, began / 1000

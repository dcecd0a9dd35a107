"""Who brought about which operation and which entity, and how each operation ended.

How an operation stands is always read from the store, which other processes may share.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from gateway.model import Kind, Status, Thing
from gateway.operation import Operation
from gateway.owners import Owners, operation_key
from gateway.stores import Change, Put, Store

_DAY = 86_400.0
ENDED_SECONDS = _DAY
"""How long the end of an operation stays known (contract section 5)."""
_RUNNING_SECONDS = 7 * _DAY
_TEAMS = "teams"
_MOST_TEAMS = 10_000
# A store that has lost its contents learns again so soon which teams have operations running.
_NOTED_SECONDS = 600.0


class Ledger(Owners):
    """Ownership and outcome, over a store. ``now`` gives Unix time.

    ``ended`` is told of every operation's end once, by the process that saw it first, ``changed``
    of every record that this process has replaced.
    """

    def __init__(
        self,
        store: Store,
        now: Callable[[], float],
        ended: Callable[[Operation], None] = lambda operation: None,
        changed: Callable[[Operation], None] = lambda operation: None,
    ) -> None:
        super().__init__(store)
        self._now = now
        self._ended = ended
        self._changed = changed
        self._teams: dict[str, float] = {}

    async def claim(self, operation: Operation, *changes: Change) -> None:
        """Record an operation that has begun, together with ``changes``, in one step."""
        team, noted = operation.team, self._noted(operation.team)
        await self._store.apply((_record(operation), *noted, *changes))
        if noted:
            self._teams[team] = self._now()
        self._owners[Thing(Kind.OPERATION, operation.id)] = team

    def _noted(self, team: str) -> Sequence[Change]:
        """What lets ``running`` find the team's operations."""
        if self._teams.get(team, -math.inf) > self._now() - _NOTED_SECONDS:
            return ()
        return (Put(f"team:{team}", team.encode(), _RUNNING_SECONDS + _NOTED_SECONDS, _TEAMS),)

    async def operation(self, id_: str) -> Operation | None:
        value = await self._store.get(operation_key(id_))
        return None if value is None else Operation.from_bytes(value)

    async def operations(self, team: str, *, limit: int) -> list[Operation]:
        """The team's operations, newest first."""
        # In this order: one that ends in between is found twice, not missed.
        running = await self._store.listed(_running(team), limit=limit)
        ended = await self._store.listed(_ended(team), limit=limit)
        found = {each.id: each for each in map(Operation.from_bytes, running + ended)}
        return sorted(found.values(), key=_age, reverse=True)[:limit]

    async def running(self, team: str | None = None, *, limit: int = 10_000) -> list[Operation]:
        """What is believed to be running, oldest first: one team's, or everybody's."""
        teams = [team] if team is not None else await self._running_teams()
        values = [
            await self._store.listed(_running(each), limit=limit, newest_first=False)
            for each in teams
        ]
        found = map(Operation.from_bytes, chain.from_iterable(values))
        return sorted(found, key=_age)[:limit]

    async def _running_teams(self) -> list[str]:
        return [team.decode() for team in await self._store.listed(_TEAMS, limit=_MOST_TEAMS)]

    async def count_running(self, team: str) -> int:
        return await self._store.count(_running(team))

    async def progress(self, id_: str, percent: int) -> Operation | None:
        """Record how far a running operation has come; it never goes back."""
        return await self._change(
            id_, lambda op: None if percent <= op.progress else replace(op, progress=percent)
        )

    async def end(
        self,
        id_: str,
        status: Status,
        *,
        result: Iterable[Thing] = (),
        problem: dict[str, Any] | None = None,
    ) -> Operation | None:
        """Record the end of an operation, once; later words only add to its result.

        Returns the record after the change, None for an operation nobody started here.
        """
        things = tuple(result)

        def change(op: Operation) -> Operation | None:
            known = tuple(dict.fromkeys((*op.result, *things)))
            if op.ended:
                # "done" only said that it ended; its result is what tells that it failed.
                late = op.status is Status.SUCCEEDED and status is Status.FAILED
                if not late:
                    return replace(op, result=known) if known != op.result else None
                return replace(op, status=status, problem=problem)
            progress = 100 if status is Status.SUCCEEDED else op.progress
            return replace(
                op,
                status=status,
                progress=progress,
                finished=self._now(),
                result=known,
                problem=problem,
            )

        return await self._change(id_, change)

    async def _change(
        self, id_: str, change: Callable[[Operation], Operation | None]
    ) -> Operation | None:
        while (value := await self._store.get(operation_key(id_))) is not None:
            before = Operation.from_bytes(value)
            after = change(before)
            if after is None:
                return before
            if await self._store.swap(value, _record(after)):
                if after.ended and not before.ended:
                    self._ended(after)
                self._changed(after)
                return after
        return None


def _record(operation: Operation) -> Put:
    """An operation is where its owner is read as well, and is listed by how it stands."""
    ended, team = operation.ended, operation.team
    return Put(
        operation_key(operation.id),
        operation.to_bytes(),
        ENDED_SECONDS if ended else _RUNNING_SECONDS,
        _ended(team) if ended else _running(team),
        operation.created,
    )


def _ended(team: str) -> str:
    return f"operations:{team}"


def _running(team: str) -> str:
    return f"running:{team}"


def _age(operation: Operation) -> tuple[float, str]:
    return operation.created, operation.id

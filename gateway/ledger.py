"""Who brought about which operation and which entity, and how each operation ended.

Ownership never changes once written, so it is kept in memory after the first look-up; how an
operation stands is always read from the store, which other processes may share.
"""

import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from cachetools import LRUCache

from gateway.model import Kind, Status, Thing
from gateway.operation import Operation
from gateway.stores import Change, Put, Store

_DAY = 86_400.0
ENDED_SECONDS = _DAY
"""How long the end of an operation stays known (contract section 5)."""
_RUNNING_SECONDS = 7 * _DAY
# OL Connect's clean-up service removes what is older than some days; a month outlives it.
_OWNERSHIP_SECONDS = 30 * _DAY
_HOT_ENTRIES = 200_000
_TEAMS = "teams"
_MOST_TEAMS = 10_000
# A store that has lost its contents learns again so soon which teams have operations running.
_NOTED_SECONDS = 600.0

_NAME_MARK = "="  # tells the name "8" from the number 8, whatever a name is folded into

NOBODY = ""
"""The owner of a file name that two teams have used: whose file it means, OL Connect alone knows.
When the newest file of a name is cleaned away, the name means the one before it again."""


class Ledger:
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
        self._store = store
        self._now = now
        self._ended = ended
        self._changed = changed
        self._owners: LRUCache[Thing, str] = LRUCache(_HOT_ENTRIES)
        self._teams: dict[str, float] = {}

    # Ownership

    def recall(self, thing: Thing) -> str | None:
        """The owner, if it is known without asking the store."""
        return self._owners.get(_plain(thing))

    async def owners(self, things: Sequence[Thing]) -> list[str | None]:
        """The owning team of each, None for what nobody is known to have brought about."""
        plain = [_plain(thing) for thing in things]
        found = [self._owners.get(thing) for thing in plain]
        unknown = [index for index, owner in enumerate(found) if owner is None]
        if not unknown:
            return found
        looked_up = await self._look_up([plain[index] for index in unknown])
        for index, owner in zip(unknown, looked_up, strict=True):
            found[index] = owner
        return found

    async def look_up(self, things: Sequence[Thing]) -> list[str | None]:
        """As ``owners``, but always from the store: it takes as long whatever there is to find."""
        return await self._look_up([_plain(thing) for thing in things])

    async def _look_up(self, plain: Sequence[Thing]) -> list[str | None]:
        values = await self._store.get_many([_owner_key(thing) for thing in plain])
        owners = [
            None if value is None else _owner_in(thing, value)
            for thing, value in zip(plain, values, strict=True)
        ]
        for thing, owner in zip(plain, owners, strict=True):
            if owner is not None:
                self._remember(thing, owner)
        return owners

    async def owned(self, team: str, things: Sequence[Thing]) -> set[Thing]:
        """Those of ``things`` that ``team`` brought about."""
        owners = await self.owners(things)
        return {thing for thing, owner in zip(things, owners, strict=True) if owner == team}

    async def learn(self, team: str, things: Iterable[Thing]) -> None:
        """Record what ``team`` brought about, but for operations, which are claimed.

        What another team owns already stays theirs.
        """
        plain = dict.fromkeys(map(_plain, things))
        new = [thing for thing in plain if self._owners.get(thing) != team]
        if not new:
            return
        for name in filter(_is_file_name, new):
            await self._learn_name(team, name)
        objects = [thing for thing in new if not _is_file_name(thing)]
        owners = await self.owners(objects)
        free = [thing for thing, owner in zip(objects, owners, strict=True) if owner is None]
        if not free:
            return
        await self._store.put_many(
            {_owner_key(thing): team.encode() for thing in free}, _OWNERSHIP_SECONDS
        )
        for thing in free:
            self._remember(thing, team)

    def _remember(self, thing: Thing, owner: str) -> None:
        # The owner of a name can change in another process; only what cannot change is kept.
        if not (self._store.shared and _is_file_name(thing)):
            self._owners[thing] = owner

    # Names of files, which OL Connect gives to the newest file that bears them

    async def _learn_name(self, team: str, name: Thing) -> None:
        key = _owner_key(name)
        owner = await self._store.put_if_absent(key, team.encode(), _OWNERSHIP_SECONDS)
        if owner is None or owner.decode() == team:
            self._remember(name, team)
        else:
            await self._set_name(name, NOBODY)

    async def learn_file(self, team: str, file: Thing, name: str) -> None:
        """Record an upload: the file's number, and the name it can be referred to from now on."""
        await self._store.put(_name_key(file), name.encode(), _OWNERSHIP_SECONDS)
        await self.learn(team, (file, Thing(Kind.FILE, name)))

    async def dispute(self, name: str, *, unless: str | None) -> None:
        """Take a name from every team but ``unless``: it may mean another file from here on."""
        thing = _plain(Thing(Kind.FILE, name))
        (owner,) = await self._look_up((thing,))
        if (owner is None and unless is None) or owner not in (None, unless):
            await self._set_name(thing, NOBODY)

    async def forget_file(self, file: Thing) -> None:
        """A file has been deleted: what its name means now was not brought about by the team."""
        name = _plain(file)
        if not _is_file_name(name):
            written = await self._store.get(_name_key(file))
            if written is None:
                return
            name = _plain(Thing(Kind.FILE, written.decode()))
        if await self._look_up((name,)) != [NOBODY]:
            await self._store.delete(_owner_key(name))
            self._owners.pop(name, None)

    async def _set_name(self, name: Thing, owner: str) -> None:
        await self._store.put(_owner_key(name), owner.encode(), _OWNERSHIP_SECONDS)
        self._remember(name, owner)

    # Operations

    async def claim(self, operation: Operation, *changes: Change) -> None:
        """Record an operation that has begun, together with ``changes``, in one step."""
        team, noted = operation.team, self._noted(operation.team)
        await self._store.apply((_record(operation), *noted, *changes))
        self._teams[team] = self._now()
        self._owners[Thing(Kind.OPERATION, operation.id)] = team

    def _noted(self, team: str) -> Sequence[Change]:
        """What lets ``running`` find the team's operations."""
        if self._teams.get(team, -math.inf) > self._now() - _NOTED_SECONDS:
            return ()
        return (Put(f"team:{team}", team.encode(), _RUNNING_SECONDS + _NOTED_SECONDS, _TEAMS),)

    async def operation(self, id_: str) -> Operation | None:
        value = await self._store.get(_operation_key(id_))
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
        while (value := await self._store.get(_operation_key(id_))) is not None:
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
        _operation_key(operation.id),
        operation.to_bytes(),
        ENDED_SECONDS if ended else _RUNNING_SECONDS,
        _ended(team) if ended else _running(team),
        operation.created,
    )


def _operation_key(id_: str) -> str:
    return f"operation:{id_}"


def _ended(team: str) -> str:
    return f"operations:{team}"


def _running(team: str) -> str:
    return f"running:{team}"


def _age(operation: Operation) -> tuple[float, str]:
    return operation.created, operation.id


def _plain(thing: Thing) -> Thing:
    """One spelling for what OL Connect's database takes for the same."""
    kind = thing.kind
    if kind is not Kind.FILE and kind is not Kind.PRESET:
        return thing
    # A preset is a managed file under another name.
    if thing.id.isascii() and thing.id.isdigit():
        return thing if kind is Kind.FILE else Thing(Kind.FILE, thing.id)
    # Databases compare names without regard to case, width and accents.
    decomposed = unicodedata.normalize("NFKD", thing.id).casefold()
    letters = (char for char in decomposed if not unicodedata.combining(char))
    return Thing(Kind.FILE, _NAME_MARK + "".join(letters).strip())


def _owner_key(thing: Thing) -> str:
    if thing.kind is Kind.OPERATION:
        return _operation_key(thing.id)
    return f"owner:{thing.kind}:{thing.id}"


def _owner_in(thing: Thing, value: bytes) -> str:
    return Operation.from_bytes(value).team if thing.kind is Kind.OPERATION else value.decode()


def _name_key(file: Thing) -> str:
    return f"filename:{file.id}"


def _is_file_name(plain: Thing) -> bool:
    return plain.kind is Kind.FILE and plain.id.startswith(_NAME_MARK)

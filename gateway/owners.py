"""Who brought about which operation and which object.

Ownership never changes once written, so it is kept in memory after the first look-up.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from cachetools import LRUCache
from pydantic_core import from_json

from gateway.model import Kind, Thing
from gateway.stores import Store

# OL Connect's clean-up service removes what is older than some days; a month outlives it.
_OWNERSHIP_SECONDS = 30 * 86_400.0
_HOT_ENTRIES = 200_000
_HOT_NAMES = 2_000
_LONGEST_HOT_NAME = 255
_LEARNT_AT_ONCE = 1_000

_NAME_MARK = "="  # tells the name "8" from the number 8, whatever a name is folded into

NOBODY = ""
"""The owner of a file name that two teams have used: whose file it means, OL Connect alone knows.
When the newest file of a name is cleaned away, the name means the one before it again."""


class Owners:
    """The part of the ledger that says whose something is."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._owners: LRUCache[Thing, str] = LRUCache(_HOT_ENTRIES)
        self._nobodys: LRUCache[Thing, bool] = LRUCache(_HOT_NAMES)

    def is_nobodys(self, thing: Thing) -> bool:
        """Whether nobody brought it about, if that is known without asking the store."""
        return _plain(thing) in self._nobodys

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
            elif not self._store.shared and _is_short_name(thing):
                self._nobodys[thing] = True
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
        # A list can be long, and a store that is shared serves nobody else meanwhile.
        for start in range(0, len(free), _LEARNT_AT_ONCE):
            some = free[start : start + _LEARNT_AT_ONCE]
            written = {_owner_key(thing): team.encode() for thing in some}
            await self._store.put_many(written, _OWNERSHIP_SECONDS)
            for thing in some:
                self._remember(thing, team)

    def _remember(self, thing: Thing, owner: str) -> None:
        self._nobodys.pop(thing, None)
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


def operation_key(id_: str) -> str:
    return f"operation:{id_}"


def _plain(thing: Thing) -> Thing:
    """One spelling for what OL Connect's database takes for the same."""
    kind = thing.kind
    if kind is not Kind.FILE and kind is not Kind.PRESET:
        return thing
    # A preset is a managed file under another name.
    if thing.id.isascii() and thing.id.isdigit():
        return thing if kind is Kind.FILE else Thing(Kind.FILE, thing.id)
    return _file_named(thing.id)


@lru_cache(_HOT_NAMES)
def _file_named(name: str) -> Thing:
    # Databases compare names without regard to case, width and accents.
    decomposed = unicodedata.normalize("NFKD", name).casefold()
    letters = (char for char in decomposed if not unicodedata.combining(char))
    return Thing(Kind.FILE, _NAME_MARK + "".join(letters).strip())


def _owner_key(thing: Thing) -> str:
    if thing.kind is Kind.OPERATION:
        return operation_key(thing.id)
    return f"owner:{thing.kind}:{thing.id}"


def _owner_in(thing: Thing, value: bytes) -> str:
    if thing.kind is not Kind.OPERATION:
        return value.decode()
    # Not read as a whole: what is found shall not take noticeably longer than what is not.
    team: str = from_json(value)["team"]
    return team


def _name_key(file: Thing) -> str:
    return f"filename:{file.id}"


def may_change_hands(thing: Thing) -> bool:
    """Whether another team can come to own it: names of files can mean other files later."""
    return _is_file_name(_plain(thing))


def _is_short_name(plain: Thing) -> bool:
    return _is_file_name(plain) and len(plain.id) <= _LONGEST_HOT_NAME


def _is_file_name(plain: Thing) -> bool:
    return plain.kind is Kind.FILE and plain.id.startswith(_NAME_MARK)

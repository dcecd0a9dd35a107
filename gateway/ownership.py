"""``objects: own``: a team sees and touches only what it brought about (contract section 5).

Someone else's object and nobody's look the same: the same look-up, the same problem.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from gateway.catalogue import Selected
from gateway.ledger import Ledger
from gateway.model import Kind, Thing
from gateway.problems import NotFound
from gateway.rules import ids
from gateway.rules.policy import TeamRules


class Ownership:
    """Asks the ledger on a team's behalf."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def require(self, team: TeamRules, things: Sequence[Thing]) -> None:
        """Raises NotFound unless ``team`` may use every one of ``things``."""
        if not team.owns or not things:
            return
        recall = self._ledger.recall
        doubtful = [
            thing for thing in things if recall(thing) != team.name and not self._is_for_all(thing)
        ]
        if not doubtful:
            return
        # What is known to be another team's is looked up all the same: a quicker refusal would
        # tell it from what is nobody's.
        for thing, owner in zip(doubtful, await self._ledger.look_up(doubtful), strict=True):
            if not _may_use(team.name, thing, owner):
                raise NotFound("There is no such object, or it is not the team's.")

    def _is_for_all(self, thing: Thing) -> bool:
        # As ``_may_use`` has it.
        return thing.kind is Kind.PRESET and self._ledger.is_nobodys(thing)

    async def usable(self, team: TeamRules, things: Sequence[Thing]) -> set[Thing]:
        """Those of ``things`` (no presets) that ``team`` may use."""
        return await self._ledger.owned(team.name, things) if team.owns else set(things)

    async def only(self, team: TeamRules, selected: Selected, document: Any) -> Any:
        """A list without the elements that are not the team's."""
        if not team.owns:
            return document
        owned = await self._ledger.owned(team.name, ids.of_document(selected, document))
        return ids.only(selected, document, owned.__contains__)

    async def learn(self, team: str, things: Iterable[Thing]) -> None:
        await self._ledger.learn(team, things)


def _may_use(team: str, thing: Thing, owner: str | None) -> bool:
    if thing.kind is Kind.PRESET:
        # Configurations that no team uploaded are the company's; grants say who may use which.
        return owner is None or owner == team
    return owner == team

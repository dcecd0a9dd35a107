"""Who wrote what when, as callers saw it, and which reads that rules out."""

from dataclasses import dataclass
from math import inf
from typing import TypeAlias

Register: TypeAlias = str
"""The path of an entity's name/value list, below the services'."""


@dataclass(slots=True)
class Written:
    """``value`` None: the entity was deleted. ``ended``: from then on it is not carried out."""

    value: str | None
    began: float = -inf
    ended: float = inf
    was_answered: bool = False


class History:
    """All writes of every register, each with a value of its own, in the order they began."""

    def __init__(self) -> None:
        self._writes: dict[Register, list[Written]] = {}

    def begin(self, register: Register, value: str | None, now: float) -> Written:
        written = Written(value, began=now)
        self._of(register).append(written)
        return written

    def objection(self, register: Register, value: str | None, began: float) -> str | None:
        """Why a read that began then must not bring this value."""
        writes = self._of(register)
        origin = next((each for each in reversed(writes) if each.value == value), None)
        if origin is None:
            return f"{register}: {value!r} was never written"
        for later in reversed(writes):
            if later.was_answered and later.ended < began:
                if origin.ended < later.began:
                    return f"{register}: {value!r} after {later.value!r} was answered"
                return None
        return None

    def _of(self, register: Register) -> list[Written]:
        return self._writes.setdefault(register, [Written("", ended=-inf)])

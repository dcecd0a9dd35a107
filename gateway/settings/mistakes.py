"""What is wrong with a configuration, and where: never with the text that was written there."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.settings.sources import Stamp, have_changed

Place = tuple[str | int, ...]
"""Keys and list indexes from the top of the configuration."""

Position = tuple[int, int]
"""Line and column, both from 1."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Mistake:
    """``path`` is empty where the mistake is not about one key."""

    file: Path
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: "
        return f"{where}{self.path}: {self.message}" if self.path else f"{where}{self.message}"


class InvalidSettings(Exception):
    """A configuration that cannot be used; ``mistakes`` are in the order of the file."""

    def __init__(
        self, mistakes: Iterable[Mistake], stamps: Mapping[Path, Stamp | None] | None = None
    ) -> None:
        self._stamps = dict(stamps or {})
        self.mistakes = sorted(mistakes, key=lambda mistake: (mistake.line, mistake.column))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))

    def is_outdated(self) -> bool:
        """Whether one of the files has changed since, so that another attempt makes sense."""
        return have_changed(self._stamps)


def path_of(place: Place) -> str:
    """``teams.billing.allow[0]``; a key that is no plain word is quoted as in JSON."""
    path = ""
    for step in place:
        if isinstance(step, int):
            path += f"[{step}]"
        elif not _PLAIN_KEY.fullmatch(step):
            path += f"[{json.dumps(step[:64])}]"
        else:
            path += f".{step}" if path else step
    return path


def position_of(place: Place, positions: Mapping[Place, Position]) -> Position:
    """That of the place, or of the nearest mapping or list around it that is in the file."""
    for length in range(len(place), 0, -1):
        if position := positions.get(place[:length]):
            return position
    return positions.get((), (1, 1))

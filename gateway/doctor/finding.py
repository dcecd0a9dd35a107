"""One line of the doctor's: what was looked at, what was seen, and what to do about it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum

from gateway.rules import http_date

_SKEW_SECONDS = 5.0


class Mark(StrEnum):
    """``UNKNOWN``: it could not be looked at, or only its owner can judge it."""

    GOOD = "ok"
    BAD = "!!"
    UNKNOWN = "--"


@dataclass(frozen=True, slots=True)
class Finding:
    mark: Mark
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.mark} {self.subject}: {self.text}"


Findings = AsyncIterator[Finding]
Clock = Callable[[], float]


def good(subject: str, text: str) -> Finding:
    return Finding(Mark.GOOD, subject, text)


def bad(subject: str, text: str) -> Finding:
    return Finding(Mark.BAD, subject, text)


def unknown(subject: str, text: str) -> Finding:
    return Finding(Mark.UNKNOWN, subject, text)


def clock(subject: str, date: str | None, now: float) -> Finding:
    """What a ``Date`` header, which is cut to whole seconds, says of the clock here."""
    told = http_date.unix_time(date)
    if told is None:
        return unknown(subject, "does not tell its time")
    ahead = told - now
    if abs(ahead) <= _SKEW_SECONDS:
        return good(subject, "its clock and this one agree")
    direction = "ahead of" if ahead > 0 else "behind"
    return bad(subject, f"its clock is {abs(ahead):.0f} s {direction} this one: set both by NTP")

"""One request to OL Connect."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from gateway.problems import Problem

Body = bytes | AsyncIterator[bytes] | None


@dataclass(slots=True)
class Call:
    """One request to OL Connect: exactly the bytes that were authorised, our headers added.

    ``sent`` turns true when bytes of the request may have left; a failure before that is known to
    have had no effect.
    """

    method: str
    path: str  # raw, from /rest/serverengine on
    raw_query: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: Body = None
    sent: bool = False
    seconds: float = 0.0  # until the answer's head
    failure: Problem | None = None  # why the body broke off, where its source is to blame

    @property
    def target(self) -> str:
        return f"{self.path}?{self.raw_query}" if self.raw_query else self.path

"""A request as it came in, and how its answer begins, whichever way its connection is read.

``gateway.server`` has aiohttp's way, ``gateway.express`` the short one; the journey knows
neither.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict

from aiohttp import HttpVersion, StreamReader
from multidict import CIMultiDictProxy

from gateway.problems import Problem


class ParserLimits(TypedDict):
    """What aiohttp's parsers accept of a header: bytes in a line and in a field, and fields."""

    max_line_size: int
    max_field_size: int
    max_headers: int


class Cancelable(Protocol):
    """A task, or what stands for one."""

    def cancel(self) -> bool: ...


class Begun(Protocol):
    """An answer whose head has gone out; its body is written piece by piece."""

    @property
    def status(self) -> int: ...

    async def write(self, data: bytes) -> None:
        """Returns when the caller keeps up. Raises ConnectionError when there is none any more."""

    async def write_eof(self) -> None: ...


@dataclass(slots=True)
class Memo:
    """What was found out about a head, kept for when the same bytes come again.

    ``naming`` and ``reading`` follow from the bytes alone; the others say themselves what else
    they follow from. Each belongs to the part that fills it in.
    """

    naming: Any = None
    reading: Any = None
    admission: Any = None
    lesson: Any = None
    course: Any = None
    kin: "Kin | None" = None


@dataclass(slots=True)
class Kin:
    """What heads have in common that differ in their tokens only.

    ``example`` is the memo of one of them: the newest that was learned from, else the first.
    """

    example: Memo | None = None


@dataclass(frozen=True, slots=True)
class Earlier:
    """A request has been passed on to OL Connect once already, in vain; ``problem`` if that is
    how it has to end."""

    problem: Problem | None


class Inbound(Protocol):
    """One request. ``complete`` is the body of one that came whole with its head."""

    answered_by: Cancelable | None  # None as long as it did not have to wait

    @property
    def earlier(self) -> Earlier | None: ...

    @property
    def memo(self) -> Memo | None: ...

    @property
    def complete(self) -> bytes | None: ...

    @property
    def method(self) -> str: ...

    @property
    def raw_path(self) -> str: ...

    @property
    def version(self) -> HttpVersion: ...

    @property
    def headers(self) -> CIMultiDictProxy[str]: ...

    @property
    def raw_headers(self) -> Sequence[tuple[bytes, bytes]]: ...

    @property
    def remote(self) -> str | None: ...

    @property
    def content_length(self) -> int | None: ...

    @property
    def body_exists(self) -> bool: ...

    @property
    def content(self) -> StreamReader: ...

    @property
    def transport(self) -> asyncio.Transport | None: ...

    async def invite(self) -> None:
        """Ask for a body that waits to be asked for (RFC 9110 section 10.1.1)."""

    async def begin(self, status: int, lines: Sequence[tuple[str, str]]) -> Begun:
        """Send the head of an answer. Without a ``Content-Length`` its body is chunked."""

"""What the upstream client hands out: an answer whose head is complete."""

from typing import Any, Protocol

from aiohttp import StreamReader
from multidict import CIMultiDictProxy


class Reply(Protocol):
    """The part of ``aiohttp.ClientResponse`` that is used here."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> CIMultiDictProxy[str]: ...

    @property
    def raw_headers(self) -> tuple[tuple[bytes, bytes], ...]: ...

    @property
    def content(self) -> StreamReader: ...

    @property
    def content_length(self) -> int | None: ...

    @property
    def connection(self) -> Any: ...

    def release(self) -> Any:
        """Give the connection to the next request."""

    def close(self) -> None:
        """End the connection."""

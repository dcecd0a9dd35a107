"""The data file in a request's body, on its way to OL Connect's File Store."""

from collections.abc import AsyncIterator
from tempfile import SpooledTemporaryFile

from gateway.bodies import CallerBody
from gateway.problems import InvalidParameters
from gateway.upstream.call import Call

_PIECE_BYTES = 64 * 1024


class DataFile:
    """``digest`` is the SHA-256 where the whole was taken in, "" where it is yet to come."""

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        length: int | None,
        digest: str = "",
        file: SpooledTemporaryFile[bytes] | None = None,
    ) -> None:
        self.pieces = pieces
        self.length = length
        self.digest = digest
        self._file = file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


async def streamed(body: CallerBody, call: Call) -> DataFile:
    """As it comes; what breaks it off is left in ``call``. Raises InvalidParameters if empty."""
    await body.begin()
    pieces = body.stream(call)
    first = await anext(pieces, b"")
    if not first:
        raise _empty()
    return DataFile(_joined(first, pieces), body.length)


async def whole(body: CallerBody) -> DataFile:
    """In whole, on disk. To be closed. Raises InvalidParameters if empty."""
    file, digest = await body.spool()
    length = file.seek(0, 2)
    file.seek(0)
    if not length:
        file.close()
        raise _empty()
    return DataFile(_read(file), length, digest, file)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def _read(file: SpooledTemporaryFile[bytes]) -> AsyncIterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece


def _empty() -> InvalidParameters:
    return InvalidParameters("The body must be the data file; it is empty.", parameter="body")

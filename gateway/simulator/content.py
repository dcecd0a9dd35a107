"""Bytes of any size with their hash: in memory up to a cap, on disk beyond it, or never at all."""

import hashlib
import tempfile
import weakref
from collections.abc import Iterator
from typing import Protocol

CHUNK_BYTES = 64 * 1024


class Content(Protocol):
    """What a managed file or an answer holds."""

    @property
    def size(self) -> int: ...

    def chunks(self) -> Iterator[bytes]: ...

    def read(self, limit_bytes: int = -1) -> bytes: ...


class Bytes:
    """Content that is in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    def chunks(self) -> Iterator[bytes]:
        for start in range(0, len(self._data), CHUNK_BYTES):
            yield self._data[start : start + CHUNK_BYTES]

    def read(self, limit_bytes: int = -1) -> bytes:
        return self._data if limit_bytes < 0 else self._data[:limit_bytes]


class Zeros:
    """Zero bytes made while they are sent, for soaks that need gigabytes and no disk."""

    def __init__(self, size: int) -> None:
        self._size = size

    @property
    def size(self) -> int:
        return self._size

    def chunks(self) -> Iterator[bytes]:
        block = bytes(CHUNK_BYTES)
        for _ in range(self._size // CHUNK_BYTES):
            yield block
        if rest := self._size % CHUNK_BYTES:
            yield block[:rest]

    def read(self, limit_bytes: int = -1) -> bytes:
        return bytes(self._size if limit_bytes < 0 else min(self._size, limit_bytes))


class Spooled:
    """Content that arrives in pieces; past ``memory_bytes`` it moves to a temporary file."""

    def __init__(self, memory_bytes: int) -> None:
        # A memory cap of 0 means "never to disk" to the standard library, so it becomes 1.
        self._file = tempfile.SpooledTemporaryFile(max_size=max(memory_bytes, 1))  # noqa: SIM115
        # Nobody closes a managed file by hand; an unclosed one warns when it is collected.
        weakref.finalize(self, self._file.close)
        self._hash = hashlib.sha256()
        self._size = 0

    @property
    def size(self) -> int:
        return self._size

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def append(self, chunk: bytes) -> None:
        self._file.seek(0, 2)
        self._file.write(chunk)
        self._hash.update(chunk)
        self._size += len(chunk)

    def chunks(self) -> Iterator[bytes]:
        position = 0
        while position < self._size:
            # Two downloads of one file take turns with its position.
            self._file.seek(position)
            chunk = self._file.read(CHUNK_BYTES)
            position += len(chunk)
            yield chunk

    def read(self, limit_bytes: int = -1) -> bytes:
        self._file.seek(0)
        return self._file.read(limit_bytes)

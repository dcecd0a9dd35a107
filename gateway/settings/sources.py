"""What a configuration is read from: its folder, the environment, and every file on the way."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_FILE_BYTES = 1024 * 1024
"""More than any key set, bundle of certificates or configuration needs."""

Stamp = tuple[int, int, int]
"""Modification time in nanoseconds, size and inode: a rename into place changes the last."""


def stamp_of(path: Path) -> Stamp | None:
    """None if there is no such file, or it cannot be looked at."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def have_changed(stamps: Mapping[Path, Stamp | None]) -> bool:
    """Whether a file is not as it was when it was read. Looks at the disk."""
    return any(stamp_of(path) != stamp for path, stamp in stamps.items())


@dataclass(frozen=True, slots=True)
class Sources:
    """``files`` grows with every file that is read, in the order of reading."""

    folder: Path
    environ: Mapping[str, str] = field(repr=False)  # secrets live there
    files: dict[Path, Stamp | None] = field(default_factory=dict)
    plain_http_issuers: bool = False  # told on the command line, since it is a risk

    def resolve(self, path: str) -> Path:
        return self.folder / path

    def read(self, path: Path) -> bytes:
        """Raises OSError, also for a file that is no plain file or too large."""
        # The stamp comes first: a change during the reading then counts as a later one.
        self.files[path] = stamp_of(path)
        try:
            # A named pipe or a device would keep the reader for ever.
            if path.exists() and not path.is_file():
                raise OSError("is not a plain file")
            with path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except ValueError as error:
            raise OSError("has no valid name") from error
        if len(content) > MAX_FILE_BYTES:
            raise OSError("is larger than 1 MiB")
        return content


def why_unreadable(error: OSError) -> str:
    """The reason without the path, which is already known or must not be shown."""
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, PermissionError):
        return "may not be read"
    return str(error) if error.errno is None else os.strerror(error.errno)


def sources_of(info: ValidationInfo) -> Sources:
    """Those given to the validation; the working folder and the process's environment if none."""
    if isinstance(info.context, Sources):
        return info.context
    return Sources(Path.cwd(), os.environ)


def _path(value: Any, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\0" in value:
        raise PydanticCustomError("path", "must be the path of a file, as text")
    return sources_of(info).resolve(value)


FilePath = Annotated[
    Path,
    PlainValidator(_path),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "minLength": 1}),
]
"""A path; a relative one starts from the configuration's folder."""

"""The nouns. Standard library only; everything else may import them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Kind(StrEnum):
    """What an id in a request or an answer names at OL Connect."""

    OPERATION = "operation"
    FILE = "file"  # a managed file of the File Store, by number or name
    PRESET = "preset"  # a managed file used as configuration: shared by all, restricted by grants
    DATA_RECORD = "data_record"
    DATA_SET = "data_set"
    CONTENT_ITEM = "content_item"
    CONTENT_SET = "content_set"
    DOCUMENT = "document"
    DOCUMENT_SET = "document_set"
    JOB = "job"
    JOB_SEGMENT = "job_segment"
    JOB_SET = "job_set"

    # Things are looked up several times in each request; Enum's own hash is not C.
    __hash__ = str.__hash__


class Thing(NamedTuple):
    """One object at OL Connect: its kind and its id, the id always as text."""

    kind: Kind
    id: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as the issuer's token says: never what they may do."""

    issuer: str  # the issuer's name in the configuration
    subject: str
    claims: Mapping[str, Any] = field(hash=False)
    expires: float  # Unix time at which the token ends


class Status(StrEnum):
    """How an operation stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

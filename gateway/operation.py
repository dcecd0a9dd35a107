"""The record of one operation: who started it, what it was, and how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from gateway.model import Kind, Status, Thing


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation at OL Connect. Times are Unix times in seconds; ``progress`` is 0 to 100.

    ``leaves`` is the kind of object the operation brings about, ``result`` the ones known so far.
    ``simplified``: the simplified face started it, so the gateway itself asks for its outcome;
    ``pipeline`` and ``filename`` are set where it was a pipeline.
    """

    id: str
    service: str
    endpoint: str
    team: str
    issuer: str
    subject: str
    credential: str
    created: float
    leaves: Kind | None = None
    presets: tuple[str, ...] = ()
    simplified: bool = False
    pipeline: str | None = None
    filename: str | None = None
    content_type: str | None = None
    create_only: bool = False
    status: Status = Status.RUNNING
    progress: int = 0
    finished: float | None = None
    result: tuple[Thing, ...] = ()
    problem: dict[str, Any] | None = None
    idempotency: tuple[str, str] | None = None  # where the key is kept, and its fingerprint

    @property
    def ended(self) -> bool:
        return self.status is not Status.RUNNING

    def to_bytes(self) -> bytes:
        """Without what goes without saying: most operations never have most of the fields."""
        return _RECORD.serializer.to_json(self, exclude_defaults=True)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Operation":
        return _RECORD.validate_json(data)


_RECORD = TypeAdapter(Operation)


def results_of_kind(operation: Operation, kind: Kind) -> Sequence[str]:
    return [thing.id for thing in operation.result if thing.kind is kind]

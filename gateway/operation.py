"""The record of one operation: who started it, what it was, and how it ended."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from pydantic_core import from_json, to_json

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
        return to_json(asdict(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Operation":
        values: dict[str, Any] = from_json(data)
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in values.items() if name in known}
        values["status"] = Status(values["status"])
        values["leaves"] = Kind(values["leaves"]) if values["leaves"] else None
        values["presets"] = tuple(values["presets"])
        values["idempotency"] = tuple(values["idempotency"]) if values["idempotency"] else None
        values["result"] = tuple(
            Thing(Kind(thing["kind"]), thing["id"]) for thing in values["result"]
        )
        return cls(**values)


def results_of_kind(operation: Operation, kind: Kind) -> Sequence[str]:
    return [thing.id for thing in operation.result if thing.kind is kind]

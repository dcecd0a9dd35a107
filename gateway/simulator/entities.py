"""The entities in OL Connect's database, each kind numbered from 1 so that numbers repeat."""

from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gateway.simulator.errors import missing


class Kind(StrEnum):
    DATA_SET = "Data Set"
    DATA_RECORD = "Data Record"
    CONTENT_SET = "Content Set"
    CONTENT_ITEM = "Content Item"
    JOB_SET = "Job Set"
    JOB = "Job"
    JOB_SEGMENT = "Job Segment"
    DOCUMENT_SET = "Document Set"
    DOCUMENT = "Document"


@dataclass(slots=True)
class Entity:
    """One row. ``children`` are of the kind below; what only some kinds have stays at its default.

    ``source`` is the data record of a content item, or the content item of a document."""

    kind: Kind
    id: int
    parent: int = 0
    children: list[int] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    created: float = 0.0
    source: int = 0
    table: str = "record"
    values: dict[str, Any] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    template: str = ""


BELOW = {
    Kind.DATA_SET: Kind.DATA_RECORD,
    Kind.DATA_RECORD: Kind.DATA_RECORD,  # detail tables
    Kind.CONTENT_SET: Kind.CONTENT_ITEM,
    Kind.JOB_SET: Kind.JOB,
    Kind.JOB: Kind.JOB_SEGMENT,
    Kind.JOB_SEGMENT: Kind.DOCUMENT_SET,
    Kind.DOCUMENT_SET: Kind.DOCUMENT,
}


class EntityStore:
    def __init__(self) -> None:
        self._rows: dict[Kind, dict[int, Entity]] = defaultdict(dict)
        self._last_ids: dict[Kind, int] = defaultdict(int)

    def add(self, kind: Kind, parent: Entity | None = None, **columns: Any) -> Entity:
        self._last_ids[kind] += 1
        entity = Entity(kind, self._last_ids[kind], **columns)
        if parent is not None:
            entity.parent = parent.id
            entity.created = parent.created
            parent.children.append(entity.id)
        self._rows[kind][entity.id] = entity
        return entity

    def find(self, kind: Kind, number: object) -> Entity | None:
        """``number`` as it stood in a path or in JSON."""
        text = str(number)
        if isinstance(number, bool) or not (text.isascii() and text.isdigit() and len(text) < 20):
            return None
        return self._rows[kind].get(int(text))

    def get(self, kind: Kind, number: object, *, status: int = 404) -> Entity:
        if entity := self.find(kind, number):
            return entity
        raise missing(status, kind, number)

    def all(self, kind: Kind) -> list[Entity]:
        return list(self._rows[kind].values())

    def children(self, entity: Entity) -> list[Entity]:
        rows = self._rows[BELOW[entity.kind]]
        return [rows[number] for number in entity.children if number in rows]

    def delete(self, entity: Entity) -> None:
        """Takes everything below along."""
        if entity.kind in BELOW:
            for child in self.children(entity):
                self.delete(child)
        self._rows[entity.kind].pop(entity.id, None)

    def clean_up(self, before: float) -> None:
        for kind in (Kind.DATA_SET, Kind.CONTENT_SET, Kind.JOB_SET):
            for entity in self.all(kind):
                if entity.created < before:
                    self.delete(entity)

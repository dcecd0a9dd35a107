"""The configuration's JSON Schema, for editors and for ``olgw schema``."""

from typing import Any

from pydantic import BaseModel

from gateway.settings.base import Record
from gateway.settings.models import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Draft 2020-12; durations, sizes and secrets as they are written in YAML."""
    generated = Settings.model_json_schema()
    records = {record.__name__: record for record in _records(Record)}
    for name, definition in generated["$defs"].items():
        _write_defaults(definition, records[name])
    _write_defaults(generated, Settings)
    _tidy(generated)
    return {"$schema": DIALECT, "title": "OL Connect gateway", **generated}


def _records(base: type[BaseModel]) -> list[type[BaseModel]]:
    return [
        record for subclass in base.__subclasses__() for record in (subclass, *_records(subclass))
    ]


def _write_defaults(definition: dict[str, Any], record: type[BaseModel]) -> None:
    """Pydantic puts defaults in as Python has them: seconds and bytes without their unit."""
    defaults = record.model_construct().model_dump(mode="json", warnings=False)
    for name, entry in definition["properties"].items():
        if "default" in entry:
            entry["default"] = defaults[name]


def _tidy(node: Any) -> None:
    """Drop titles, which repeat the keys; refuse names that do not have a name's form."""
    if isinstance(node, list):
        for item in node:
            _tidy(item)
    if not isinstance(node, dict):
        return
    # A property that is itself called title would be a schema here, not a text.
    if isinstance(node.get("title"), str):
        del node["title"]
    if "patternProperties" in node:
        node["additionalProperties"] = False
    for value in node.values():
        _tidy(value)

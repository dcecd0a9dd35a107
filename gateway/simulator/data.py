"""Data mapping: a CSV file, a JSON array or a PDF becomes records; values stay text."""

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.simulator.engine import Engine
from gateway.simulator.entities import Entity, Kind
from gateway.simulator.errors import Refusal
from gateway.simulator.files import ManagedFile

PAGED_TYPES = ("PDF", "PS", "PCL", "AFP")
MAPPING_FAILED = "Error executing DM configuration"
PDF_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")


class _Number(str):
    """A JSON number as it was written, so that no digit is lost."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Row:
    values: dict[str, str]
    types: dict[str, str] = field(default_factory=dict)
    tables: dict[str, list["Row"]] = field(default_factory=dict)


class UnreadableData(Exception):
    """``record`` counts from 1; 0 means the file as a whole."""

    def __init__(self, reason: str, record: int = 0) -> None:
        super().__init__(f"Record {record}: {reason}" if record else reason)
        self.record = record


def config_type(config: ManagedFile) -> str:
    found = re.search(rb'<datamapper type="(\w+)"', config.content.read(4096))
    return found[1].decode() if found else "XML"


def rows_of(config: ManagedFile, data: ManagedFile) -> list[Row]:
    """Raises UnreadableData."""
    content = data.content.read()
    if config_type(config) in PAGED_TYPES:
        return pdf_rows(content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableData(f"Input is not UTF-8 at byte {error.start}") from error
    return _json_rows(text) if text.lstrip()[:1] in ("[", "{") else _csv_rows(text)


def pdf_rows(content: bytes) -> list[Row]:
    if not content.startswith(b"%PDF-"):
        raise UnreadableData("Input is not a PDF file")
    pages = max(1, len(PDF_PAGE.findall(content)))
    return [Row({"Page": str(number)}) for number in range(1, pages + 1)]


def _csv_rows(text: str) -> list[Row]:
    if "\0" in text:
        raise UnreadableData("Input contains binary data")
    first_line = text.partition("\n")[0]
    delimiter = ";" if first_line.count(";") > first_line.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[Row] = []
    try:
        header = next(reader, [])
        for cells in filter(None, reader):
            if len(cells) != len(header):
                reason = f"Expected {len(header)} fields, found {len(cells)}"
                raise UnreadableData(reason, len(rows) + 1)
            rows.append(Row(dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise UnreadableData(str(error), len(rows) + 1) from error
    if not rows:
        raise UnreadableData("Input contains no records")
    return rows


def _json_rows(text: str) -> list[Row]:
    try:
        parsed = json.loads(text, parse_int=_Number, parse_float=_Number)
    except (ValueError, RecursionError) as error:
        raise UnreadableData(f"Input is not JSON: {error}") from error
    entries = parsed if isinstance(parsed, list) else [parsed]
    if not entries or not all(isinstance(entry, dict) for entry in entries):
        raise UnreadableData("Input is not an array of objects")
    return [row_of(entry) for entry in entries]


def row_of(entry: Mapping[str, Any]) -> Row:
    """A plain object, or one in the form of JSON Record Data (schema, fields, tables)."""
    fields: Mapping[str, Any] = entry
    tables: Mapping[str, Any] = {}
    if isinstance(entry.get("fields"), dict | list):
        fields = pairs(entry["fields"])
        tables = entry.get("tables") or {}
    row = Row({})
    for name, value in fields.items():
        if isinstance(value, list) and all(isinstance(each, dict) for each in value):
            row.tables[name] = [row_of(each) for each in value]
        else:
            row.values[name], row.types[name] = as_text(value), type_name(value)
    for name, details in tables.items():
        row.tables[name] = [row_of(each) for each in details]
    columns = (entry.get("schema") or {}).get("columns") or {} if fields is not entry else {}
    row.types.update({name: str(kind) for name, kind in columns.items() if name in row.values})
    return row


def pairs(fields: Any) -> dict[str, Any]:
    """Both spellings of fields: an object, or a list of names and values."""
    if isinstance(fields, dict):
        return fields
    try:
        return {str(each["name"]): each["value"] for each in fields}
    except (TypeError, KeyError) as error:
        raise Refusal(500, "JSON fields invalid or missing required structure") from error


def as_text(value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    return "" if value is None else json.dumps(value)


def type_name(value: Any) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int) or (isinstance(value, _Number) and value.lstrip("-").isdigit()):
        return "INTEGER"
    return "FLOAT" if isinstance(value, float | _Number) else "STRING"


def create_data_set(engine: Engine, rows: list[Row]) -> Entity:
    data_set = engine.entities.add(Kind.DATA_SET, created=engine.now())
    for row in rows:
        add_record(engine, data_set, row)
    return data_set


def add_record(engine: Engine, parent: Entity, row: Row, table: str = "record") -> Entity:
    record = engine.entities.add(
        Kind.DATA_RECORD, parent, table=table, values=dict(row.values), types=dict(row.types)
    )
    for name, details in row.tables.items():
        for detail in details:
            add_record(engine, record, detail, name)
    return record


def map_data(engine: Engine, config: ManagedFile, data: ManagedFile) -> Entity:
    try:
        return create_data_set(engine, rows_of(config, data))
    except UnreadableData as error:
        raise Refusal(500, f"{MAPPING_FAILED}: {error}", str(data.id)) from error


def validation(config: ManagedFile, data: ManagedFile) -> dict[str, Any]:
    """JSON Data Mapping Validation Result."""
    try:
        rows = rows_of(config, data)
    except UnreadableData as error:
        errors = [{"record": error.record, "reason": str(error)}]
        return {"result": "ERROR", "recordcount": max(error.record - 1, 0), "errors": errors}
    return {"result": "OK", "recordcount": len(rows), "errors": []}


def data_set_of_pages(engine: Engine, data: ManagedFile) -> Entity:
    """A PDF/VT file as a data set, one record per page."""
    try:
        return create_data_set(engine, pdf_rows(data.content.read()))
    except UnreadableData as error:
        raise Refusal(500, f"{MAPPING_FAILED}: {error}", str(data.id)) from error


def estimated_records(data: ManagedFile) -> int:
    """Roughly how many records a file has, for how long its mapping takes."""
    return data.content.read(1024 * 1024).count(b"\n")

"""The data record entity service."""

from collections import defaultdict
from typing import Any

from gateway.simulator import data, wire
from gateway.simulator.call import Call
from gateway.simulator.data import Row
from gateway.simulator.entities import Entity, Kind
from gateway.simulator.errors import Refusal
from gateway.simulator.routes.common import entities_named, service_routes
from gateway.simulator.routes.entities import name_value_list, named, put_many_route, value_routes
from gateway.simulator.routing import Route, Service

SERVICE = Service("DataRecordEntityRestService", "/entity/datarecords")
NEW_RECORDS = "JSON New Record Lists"
CONTENT_LISTS = "JSON Record Content Lists"


async def add_records(call: Call) -> wire.Answer:
    body = await call.json(NEW_RECORDS)
    if not isinstance(body, list):
        raise call.bad_json(NEW_RECORDS)
    additions = [_addition(call, entry) for entry in body]
    for parent, table, rows in additions:
        for row in rows:
            data.add_record(call.engine, parent, row, table)
    return wire.empty()


def _addition(call: Call, entry: Any) -> tuple[Entity, str, list[Row]]:
    """Where a JSON New Record List goes, and its rows."""
    if not isinstance(entry, dict) or not isinstance(entry.get("records"), list):
        raise call.bad_json(NEW_RECORDS)
    rows = [data.row_of(record) for record in entry["records"] if isinstance(record, dict)]
    if "datasetid" in entry:
        parent = call.engine.entities.get(Kind.DATA_SET, entry["datasetid"], status=500)
        return parent, "record", rows
    parent = call.engine.entities.get(Kind.DATA_RECORD, entry.get("recordid"), status=500)
    return parent, str(entry.get("table") or "detail"), rows


async def put_records(call: Call) -> wire.Answer:
    body = await call.json(CONTENT_LISTS)
    if not isinstance(body, list) or not all(isinstance(entry, dict) for entry in body):
        raise call.bad_json(CONTENT_LISTS)
    changes = [(_record(call, entry.get("id")), _fields(call, entry)) for entry in body]
    for record, fields in changes:
        record.values.update(fields)
    return wire.empty()


async def put_values(call: Call) -> wire.Answer:
    body = await call.json_object("JSON Record Content List")
    if str(body.get("id")) != call.params["dataRecordId"]:
        raise Refusal(500, "Server error or Data Record ID mismatch in JSON", str(body.get("id")))
    fields = _fields(call, body)
    named(call, Kind.DATA_RECORD).values.update(fields)
    return wire.empty()


def _fields(call: Call, body: dict[str, Any]) -> dict[str, str]:
    """``fields``, or ``records`` as one document prints it."""
    fields = body.get("fields", body.get("records"))
    if fields is None:
        raise call.bad_json("JSON Record Content List")
    return {name: data.as_text(value) for name, value in data.pairs(fields).items()}


def _record(call: Call, number: object) -> Entity:
    return call.engine.entities.get(Kind.DATA_RECORD, number)


async def get_values(call: Call) -> wire.Answer:
    record = named(call, Kind.DATA_RECORD)
    if call.flag("explicitTypes"):
        return wire.json_answer(explicit(call, record, recursive=call.flag("recursive")))
    return wire.json_answer(contents(call, record, recursive=call.flag("recursive")))


async def get_many_values(call: Call) -> wire.Answer:
    numbers = call.request.query.getall("id", [])
    recursive = call.flag("recursive")
    return wire.json_answer(
        [contents(call, _record(call, number), recursive=recursive) for number in numbers]
    )


async def post_values(call: Call) -> wire.Answer:
    body = await call.json_object("JSON Data Record Identifier List")
    numbers = body.get("recordids", body.get("identifiers"))
    if not isinstance(numbers, list):
        raise call.bad_json("JSON Data Record Identifier List")
    records = entities_named(call, Kind.DATA_RECORD, numbers)
    shape = explicit if body.get("explicitTypes") is True else contents
    recursive = body.get("recursive") is True
    return wire.json_answer([shape(call, record, recursive=recursive) for record in records])


def contents(call: Call, record: Entity, *, recursive: bool) -> dict[str, Any]:
    """JSON Record Content List."""
    shown: dict[str, Any] = {"id": record.id, "table": record.table}
    if record.table == "record":
        shown |= {"datasetid": record.parent, "boundaries": {"start": 0, "end": 0}}
    else:
        shown["parentrecordid"] = record.parent
    shown["fields"] = name_value_list(record.values)
    if recursive and (details := call.engine.entities.children(record)):
        shown["records"] = [contents(call, detail, recursive=True) for detail in details]
    return shown


def explicit(call: Call, record: Entity, *, recursive: bool) -> dict[str, Any]:
    """JSON Record Content List (Explicit Types)."""
    columns = {name: record.types.get(name, "STRING") for name in record.values}
    shown: dict[str, Any] = {
        "schema": {"columns": columns},
        "id": record.id,
        "datasetid": record.parent,
        "boundaries": {"start": 0, "end": 0},
        "fields": {name: typed(record.values[name], kind) for name, kind in columns.items()},
    }
    if recursive:
        tables: dict[str, list[Any]] = defaultdict(list)
        for detail in call.engine.entities.children(record):
            tables[detail.table].append(explicit(call, detail, recursive=True))
        shown["tables"] = tables
    return shown


def typed(value: str, kind: str) -> Any:
    """The JSON value of a field; what does not fit its type stays text."""
    if kind == "BOOLEAN":
        return value.lower() == "true"
    try:
        if kind in ("INTEGER", "DATETIME"):
            return int(value)
        return float(value) if kind in ("FLOAT", "CURRENCY") else value
    except ValueError:
        return value


ROUTES = (
    *service_routes(SERVICE),
    Route("POST", "", SERVICE, add_records),
    Route("PUT", "", SERVICE, put_records),
    Route("GET", "/{dataRecordId}/values", SERVICE, get_values),
    Route("PUT", "/{dataRecordId}/values", SERVICE, put_values),
    *value_routes(SERVICE, Kind.DATA_RECORD, "properties"),
    Route("GET", "/values", SERVICE, get_many_values),
    Route("POST", "/values", SERVICE, post_values),
    put_many_route(SERVICE, Kind.DATA_RECORD),
)

"""What services share: handshake, version, the operation methods, reading inputs out of bodies."""

from collections.abc import Mapping
from typing import Any

from gateway.simulator import data, wire
from gateway.simulator.call import Call
from gateway.simulator.entities import Entity, Kind
from gateway.simulator.operations import Outcome
from gateway.simulator.routing import ANYBODY, WATCHING, Handler, Route, Service


async def handshake(call: Call) -> wire.Answer:
    return wire.text(f"Server Engine REST Service available: {call.service}")


async def version(call: Call) -> wire.Answer:
    return wire.text(call.options.version)


def version_route(service: Service) -> Route:
    return Route("GET", "/version", service, version, ANYBODY)


def service_routes(service: Service) -> tuple[Route, ...]:
    return (Route("GET", "", service, handshake, ANYBODY), version_route(service))


async def get_operations(call: Call) -> wire.Answer:
    """JSON Operations List: active operations only."""
    operations = call.engine.operations
    return wire.json_answer(
        [
            {
                "id": operation.id,
                "type": operation.service,
                "subTask": operation.sub_task,
                "startTime": int(operation.started * 1000),
                "progress": operations.progress(operation),
                **operation.resources,
            }
            for operation in operations.active(call.service)
        ]
    )


async def get_progress(call: Call) -> wire.Answer:
    return wire.text(call.engine.operations.progress_text(call.operation(), call.options))


async def cancel(call: Call) -> wire.Answer:
    call.engine.operations.cancel(call.operation())
    return wire.empty(204)


async def outcome_of(call: Call) -> Outcome:
    return await call.engine.operations.result(call.operation(), call.options)


async def text_result(call: Call) -> wire.Answer:
    return wire.text((await outcome_of(call)).text)


async def json_result(call: Call) -> wire.Answer:
    return wire.json_answer((await outcome_of(call)).json)


def operation_routes(service: Service, get_result: Handler) -> tuple[Route, ...]:
    return (
        Route("GET", "/getOperations", service, get_operations, WATCHING),
        Route("GET", "/getProgress/{operationId}", service, get_progress, WATCHING),
        Route("POST", "/getResult/{operationId}", service, get_result),
        Route("POST", "/cancel/{operationId}", service, cancel),
    )


def listed(call: Call, body: Mapping[str, Any], name: str = "JSON Identifier List") -> list[Any]:
    """The ``identifiers`` of a body."""
    numbers = body.get("identifiers")
    if not isinstance(numbers, list):
        raise call.bad_json(name)
    return numbers


def entities_named(call: Call, kind: Kind, numbers: list[Any]) -> list[Entity]:
    """All of them, or the refusal for the first that does not exist."""
    status = call.options.missing_entity
    return [call.engine.entities.get(kind, number, status=status) for number in numbers]


def records_in(call: Call, body: Mapping[str, Any]) -> list[Entity]:
    """Data records by id (``identifiers``), or made from a JSON Record Data List (``data``)."""
    if "data" not in body:
        return entities_named(call, Kind.DATA_RECORD, listed(call, body))
    entries = body["data"] if isinstance(body["data"], list) else [body["data"]]
    if not all(isinstance(entry, dict) for entry in entries):
        raise call.bad_json("JSON Record Data List")
    rows = [data.row_of(entry) for entry in entries]
    return call.engine.entities.children(data.create_data_set(call.engine, rows))


def one_record(call: Call, number: object) -> Entity:
    return entities_named(call, Kind.DATA_RECORD, [number])[0]

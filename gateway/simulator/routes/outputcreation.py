"""The output creation service."""

from typing import Any

from gateway.simulator import production, wire
from gateway.simulator.call import Call
from gateway.simulator.entities import Entity, Kind
from gateway.simulator.errors import Refusal
from gateway.simulator.files import OUTPUT_PRESET, ManagedFile
from gateway.simulator.operations import Operation, Outcome
from gateway.simulator.routes.common import (
    entities_named,
    listed,
    operation_routes,
    outcome_of,
    service_routes,
)
from gateway.simulator.routing import Route, Service

SERVICE = Service("OutputCreationRestService", "/workflow/outputcreation")


async def process(call: Call) -> wire.Answer:
    preset = _preset(call)
    job_sets = entities_named(call, Kind.JOB_SET, [call.params["jobSetId"]])
    return _start(call, preset, job_sets, {})


async def process_json(call: Call) -> wire.Answer:
    preset = _preset(call)
    body = await call.json_object("JSON Identifier")
    if "identifier" not in body:
        raise call.bad_json("JSON Identifier")
    return _start(call, preset, entities_named(call, Kind.JOB_SET, [body["identifier"]]), body)


async def process_jobs(call: Call) -> wire.Answer:
    preset = _preset(call)
    body = await call.json_object("JSON Identifier List")
    return _start(call, preset, entities_named(call, Kind.JOB, listed(call, body)), body)


async def execute_enhance(call: Call) -> wire.Answer:
    """Needs another product on the server, which this one does not have."""
    raise Refusal(500, "PReS Enhance is not available", call.params["args"])


def _preset(call: Call) -> ManagedFile:
    return call.engine.files.need(call.params["configId"], OUTPUT_PRESET)


def _start(
    call: Call, preset: ManagedFile, jobs: list[Entity], options: dict[str, Any]
) -> wire.Answer:
    def work() -> Outcome:
        return production.create_output(
            call.engine,
            preset,
            jobs,
            create_only=options.get("createOnly") is True,
            folder=str(options.get("jobOutputFolder") or ""),
        )

    documents = sum(len(production.documents_of(call.engine, job)) for job in jobs)
    operation = call.start(
        work,
        records=documents,
        resources={"config": preset.name or str(preset.id)},
        sub_task="Output creation",
    )
    return call.accepted(operation)


async def get_result(call: Call) -> wire.Answer:
    return streamed(call, call.operation(), await outcome_of(call))


async def get_result_text(call: Call) -> wire.Answer:
    return as_text(call, call.operation(), await outcome_of(call))


async def get_managed_result(call: Call) -> wire.Answer:
    operation, outcome = call.operation(), await outcome_of(call)
    if not outcome.files:
        return wire.text(outcome.text, headers=_headers(operation, outcome, outcome.kind))
    file = production.managed_output(call.engine, operation, outcome)
    headers = _headers(operation, outcome, "Output-Managed-Info")
    if call.options.managed_result == "text":
        return wire.text(file.id, headers=headers)
    names = [name for name, _ in outcome.files]
    return wire.json_answer({"identifier": file.id, "files": names}, headers=headers)


def streamed(call: Call, operation: Operation, outcome: Outcome) -> wire.Answer:
    """A single file itself; several as their paths; before output, the entity's id."""
    if len(outcome.files) == 1:
        headers = _headers(operation, outcome, "Output-Streamed")
        return wire.Answer(200, outcome.files[0][1], wire.OCTETS, headers)
    answer = as_text(call, operation, outcome)
    return wire.Answer(200, answer.content, wire.OCTETS, answer.headers)


def as_text(call: Call, operation: Operation, outcome: Outcome) -> wire.Answer:
    if not outcome.files:
        return wire.text(outcome.text, headers=_headers(operation, outcome, outcome.kind))
    paths = call.options.separator.join(production.paths(outcome))
    return wire.text(paths, headers=_headers(operation, outcome, "Output-Local-Filepath"))


def _headers(operation: Operation, outcome: Outcome, kind: str) -> list[tuple[str, str]]:
    if not operation.ids_in_headers:
        return []
    ids = [(name, str(number)) for name, number in outcome.ids.items()]
    return [*ids, ("X-Result-Type", kind)]


RESULT_ROUTES = (
    ("/getResultTxt/{operationId}", get_result_text),
    ("/getManagedResult/{operationId}", get_managed_result),
)
ROUTES = (
    *service_routes(SERVICE),
    Route("POST", "/{configId}/{jobSetId}", SERVICE, process),
    Route("POST", "/{configId}", SERVICE, process_json),
    Route("POST", "/{configId}/jobs", SERVICE, process_jobs),
    Route("GET", "/execute/{args}/{size}", SERVICE, execute_enhance),
    *operation_routes(SERVICE, get_result),
    *(Route("POST", path, SERVICE, handler) for path, handler in RESULT_ROUTES),
)

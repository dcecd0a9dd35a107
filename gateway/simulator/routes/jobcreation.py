"""The job creation service."""

from collections.abc import Callable

from gateway.simulator import production, wire
from gateway.simulator.call import Call
from gateway.simulator.entities import Entity, Kind
from gateway.simulator.files import JOB_PRESET
from gateway.simulator.operations import Outcome
from gateway.simulator.routes.common import (
    entities_named,
    listed,
    operation_routes,
    service_routes,
    text_result,
)
from gateway.simulator.routing import Route, Service

SERVICE = Service("JobCreationRestService", "/workflow/jobcreation")


async def process(call: Call) -> wire.Answer:
    """Without a body the preset selects: the simulator's presets take every content set."""
    preset = call.engine.files.need(call.params["configId"], JOB_PRESET)
    body = await call.json_object("JSON Identifier List", optional=True)
    if body:
        call.parameters_in(body)
        content_sets = entities_named(call, Kind.CONTENT_SET, listed(call, body))
    else:
        content_sets = call.engine.entities.all(Kind.CONTENT_SET)
    return _start(call, content_sets, preset.name or str(preset.id))


async def process_default(call: Call) -> wire.Answer:
    body = await call.json_object("JSON Identifier List")
    return _start(call, entities_named(call, Kind.CONTENT_SET, listed(call, body)), "default")


async def process_structure(call: Call) -> wire.Answer:
    structure = await call.json_object("JSON Job Set Structure")
    return _started(
        call, lambda: production.create_structured_job_set(call.engine, structure), 1, ""
    )


def _start(call: Call, content_sets: list[Entity], preset: str) -> wire.Answer:
    items = sum(len(content_set.children) for content_set in content_sets)
    return _started(
        call, lambda: production.create_job_set(call.engine, content_sets), items, preset
    )


def _started(call: Call, create: Callable[[], Entity], records: int, preset: str) -> wire.Answer:
    def work() -> Outcome:
        number = create().id
        return Outcome("Job-Set-ID", str(number), ids={"X-Job-Set-ID": number})

    operation = call.start(
        work, records=records, resources={"config": preset}, sub_task="Job creation"
    )
    return call.accepted(operation)


ROUTES = (
    *service_routes(SERVICE),
    Route("POST", "/{configId}", SERVICE, process),
    Route("POST", "", SERVICE, process_structure),
    Route("POST", "/default", SERVICE, process_default),
    *operation_routes(SERVICE, text_result),
)

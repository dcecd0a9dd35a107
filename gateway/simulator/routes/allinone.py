"""The All-In-One service: data mapping to output in one operation, ending with the last step."""

from typing import Any

from gateway.simulator import allinone, wire
from gateway.simulator.allinone import Plan
from gateway.simulator.call import Call
from gateway.simulator.files import (
    DATA_FILE,
    DATAMAPPER,
    JOB_PRESET,
    OUTPUT_PRESET,
    TEMPLATE,
    ManagedFile,
)
from gateway.simulator.operations import Operation
from gateway.simulator.routes.common import operation_routes, service_routes
from gateway.simulator.routes.outputcreation import RESULT_ROUTES, as_text, get_result, streamed
from gateway.simulator.routing import Route, Service

SERVICE = Service("PrintRestService", "/workflow/print")
NAME = "JSON All-In-One Configuration"
STEPS = ("datamining", "contentcreation", "jobcreation", "outputcreation")


async def submit(call: Call) -> wire.Answer:
    body = await call.json_object(NAME)
    steps = {name: body[name] for name in STEPS if body.get(name) is not None}
    if not steps or not all(isinstance(step, dict) for step in steps.values()):
        raise call.bad_json(NAME)
    for step in steps.values():
        call.parameters_in(step)
    plan = _plan(call, steps, body)
    ids_in_headers = body.get("returnIdInHeader") is True
    return call.accepted(_start(call, plan, ids_in_headers=ids_in_headers))


def _plan(call: Call, steps: dict[str, dict[str, Any]], body: dict[str, Any]) -> Plan:
    mapping, content = steps.get("datamining"), steps.get("contentcreation")
    jobs, output = steps.get("jobcreation"), steps.get("outputcreation")
    print_range = body.get("printRange") or ""
    if isinstance(print_range, dict):
        print_range = print_range.get("printRange") or ""
    return Plan(
        data_file=_input(call, mapping, "identifier", DATA_FILE),
        datamapper=_input(call, mapping, "config", DATAMAPPER),
        record_ids=_numbers(call, content),
        template=_input(call, content, "config", TEMPLATE),
        create_jobs=jobs is not None,
        job_preset=_input(call, jobs, "config", JOB_PRESET, optional=True),
        job_ids=_numbers(call, output),
        output_preset=_input(call, output, "config", OUTPUT_PRESET),
        create_only=bool(output and output.get("createOnly") is True),
        folder=str((output or {}).get("jobOutputFolder") or ""),
        print_range=allinone.print_range(str(print_range)),
        keep_data_set=(mapping or {}).get("persistDataset", True) is not False,
    )


def _numbers(call: Call, step: dict[str, Any] | None) -> tuple[Any, ...]:
    numbers = (step or {}).get("identifiers") or ()
    if not isinstance(numbers, list | tuple):
        raise call.bad_json(NAME)
    return tuple(numbers)


def _input(
    call: Call, step: dict[str, Any] | None, member: str, file_type: str, *, optional: bool = False
) -> ManagedFile | None:
    """The managed file that a step names; 400 if there is no such file."""
    if step is None or (optional and not step.get(member)):
        return None
    if member not in step:
        raise call.bad_json(NAME)
    file = call.engine.files.find(str(step[member]))
    if file is None or file.type != file_type:
        raise allinone.missing_input(step[member])
    return file


async def submit_data(call: Call) -> wire.Answer:
    """The body is the data file; with ``async=false`` the answer is the result."""
    files, params = call.engine.files, call.params
    no_jobs = params["jcConfigId"] == "0"
    plan = Plan(
        datamapper=files.need(params["dmConfigId"], DATAMAPPER),
        template=files.need(params["templateId"], TEMPLATE),
        create_jobs=not no_jobs,
        job_preset=None if no_jobs else files.need(params["jcConfigId"], JOB_PRESET),
        output_preset=files.need(params["ocConfigId"], OUTPUT_PRESET),
        create_only=call.flag("createOnly"),
        print_range=allinone.print_range(call.query("printRange")),
        data_file=call.engine.add_file(await call.upload(), DATA_FILE, name=call.query("filename")),
    )
    operation = _start(call, plan, ids_in_headers=False)
    if call.flag("async", True):
        return call.accepted(operation)
    outcome = await call.engine.operations.outcome(operation)
    if call.flag("resultAsTxt"):
        return as_text(call, operation, outcome)
    return streamed(call, operation, outcome)


def _start(call: Call, plan: Plan, *, ids_in_headers: bool) -> Operation:
    return call.start(
        lambda: allinone.run(call.engine, plan),
        records=allinone.estimated_records(plan),
        resources=plan.resources(),
        sub_task="All-In-One",
        ids_in_headers=ids_in_headers,
    )


ROUTES = (
    *service_routes(SERVICE),
    Route("POST", "/submit", SERVICE, submit),
    Route("POST", "/{dmConfigId}/{templateId}/{jcConfigId}/{ocConfigId}", SERVICE, submit_data),
    *operation_routes(SERVICE, get_result),
    *(Route("POST", path, SERVICE, handler) for path, handler in RESULT_ROUTES),
)

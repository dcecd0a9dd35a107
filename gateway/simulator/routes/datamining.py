"""The data mapping service."""

import json
from collections.abc import Callable

from gateway.simulator import data, production, wire
from gateway.simulator.call import Call
from gateway.simulator.errors import Refusal
from gateway.simulator.files import DATA_FILE, DATAMAPPER, ManagedFile
from gateway.simulator.operations import Outcome
from gateway.simulator.routes.common import operation_routes, service_routes, text_result
from gateway.simulator.routing import Route, Service

SERVICE = Service("DataMiningRestService", "/workflow/datamining")


async def process(call: Call) -> wire.Answer:
    await call.parameters()
    return start(call, call.params["dataFileId"])


async def process_json(call: Call) -> wire.Answer:
    body = await call.json_object("JSON Identifier")
    call.parameters_in(body)
    if "identifier" not in body:
        raise call.bad_json("JSON Identifier")
    return start(call, body["identifier"])


def start(call: Call, data_file: object) -> wire.Answer:
    engine = call.engine
    config = engine.files.need(call.params["configId"], DATAMAPPER)
    file = engine.files.need(data_file, DATA_FILE)

    def validate() -> Outcome:
        return Outcome("Validation", json.dumps(data.validation(config, file)))

    def work() -> Outcome:
        number = data.map_data(engine, config, file).id
        return Outcome("Data-Set-ID", str(number), ids={"X-Data-Set-ID": number})

    operation = call.start(
        validate if call.flag("validate") else work,
        records=data.estimated_records(file),
        resources={"config": call.params["configId"], "data": str(data_file)},
        sub_task="Data mapping",
    )
    return call.accepted(operation)


async def pdfvt_data_set(call: Call) -> wire.Answer:
    file = _data_file(call, "dataFileId")

    def work() -> Outcome:
        return Outcome("Data-Set-ID", str(data.data_set_of_pages(call.engine, file).id))

    return _started(call, file, work)


async def pdfvt_content_set(call: Call) -> wire.Answer:
    file = _data_file(call, "dataFileId")
    return _started(call, file, lambda: _content_set(call, file))


async def create_content_set(call: Call) -> wire.Answer:
    body = await call.json_object("JSON Identifier")
    call.parameters_in(body)
    file = _data_file(call, "dataFileID")
    if "identifier" not in body:
        raise call.bad_json("JSON Identifier")
    config = call.engine.files.need(body["identifier"], DATAMAPPER)
    if (kind := data.config_type(config)) not in data.PAGED_TYPES:
        wanted = "/".join(data.PAGED_TYPES)
        text = f"Wrong Datamapper configuration type: [{kind}]. Expected {wanted}."
        raise Refusal(400, text, str(body["identifier"]))
    return _started(call, file, lambda: _content_set(call, file))


def _data_file(call: Call, parameter: str) -> ManagedFile:
    return call.engine.files.need(call.params[parameter], DATA_FILE)


def _content_set(call: Call, file: ManagedFile) -> Outcome:
    data_set = data.data_set_of_pages(call.engine, file)
    records = call.engine.entities.children(data_set)
    content_set = production.content_set_of(call.engine, records, template="")
    return Outcome("Content-Set-ID", str(content_set.id))


def _started(call: Call, file: ManagedFile, work: Callable[[], Outcome]) -> wire.Answer:
    operation = call.start(
        work,
        records=data.estimated_records(file),
        resources={"data": str(file.id)},
        sub_task="PDF data mapping",
    )
    return call.accepted(operation)


ROUTES = (
    *service_routes(SERVICE),
    Route("POST", "/{configId}/{dataFileId}", SERVICE, process),
    Route("POST", "/{configId}", SERVICE, process_json),
    Route("POST", "/pdfvtds/{dataFileId}", SERVICE, pdfvt_data_set),
    Route("POST", "/pdfvtcs/{dataFileId}", SERVICE, pdfvt_content_set),
    Route("POST", "/createcontentset/{dataFileID}", SERVICE, create_content_set),
    *operation_routes(SERVICE, text_result),
)

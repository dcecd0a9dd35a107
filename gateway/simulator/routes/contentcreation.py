"""The content creation service for print, with its previews."""

from typing import Any

from gateway.simulator import data, drawing, production, wire
from gateway.simulator.call import Call
from gateway.simulator.content import Bytes
from gateway.simulator.entities import Entity, Kind
from gateway.simulator.errors import Refusal
from gateway.simulator.files import DATA_FILE, DATAMAPPER, OUTPUT, TEMPLATE, ManagedFile
from gateway.simulator.operations import Outcome
from gateway.simulator.routes.common import (
    one_record,
    operation_routes,
    records_in,
    service_routes,
    text_result,
)
from gateway.simulator.routing import Route, Service
from gateway.simulator.templates import CONTEXTS, Template

SERVICE = Service("ContentCreationRestService", "/workflow/contentcreation")
PICTURE_TYPES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg"}


async def process(call: Call) -> wire.Answer:
    await call.parameters()
    template = template_of(call)
    data_set = call.engine.entities.get(Kind.DATA_SET, call.params["dataSetId"])
    return _start(call, template, call.engine.entities.children(data_set))


async def process_json(call: Call) -> wire.Answer:
    template = template_of(call)
    body = await call.json_object("JSON Identifier List")
    call.parameters_in(body)
    return _start(call, template, records_in(call, body))


def template_of(call: Call) -> ManagedFile:
    return call.engine.files.need(call.params["templateId"], TEMPLATE)


def _start(call: Call, template: ManagedFile, records: list[Entity]) -> wire.Answer:
    def work() -> Outcome:
        number = production.create_content_set(call.engine, template, records).id
        return Outcome("Content-Set-ID", str(number), ids={"X-Content-Set-ID": number})

    operation = call.start(
        work,
        records=len(records),
        resources={"template": template.name or str(template.id)},
        sub_task="Print content creation",
    )
    return call.accepted(operation)


async def pdf_preview_direct(call: Call) -> wire.Answer:
    template = call.engine.files.need(call.query("templateId"), TEMPLATE)
    if call.request.method == "POST":
        await call.parameters()
    return _pdf_preview(call, template, [one_record(call, call.query("dataRecordId"))])


async def pdf_preview_mapped(call: Call) -> wire.Answer:
    """Maps the body; with ``persist=false`` the data set goes again at once."""
    template = template_of(call)
    config = call.engine.files.need(call.params["dmConfigId"], DATAMAPPER)
    upload = ManagedFile(0, "", DATA_FILE, await call.upload(), False, call.engine.now())
    data_set = data.map_data(call.engine, config, upload)
    answer = _pdf_preview(call, template, call.engine.entities.children(data_set)[:1])
    if not call.flag("persist", True):
        call.engine.entities.delete(data_set)
    return answer


async def pdf_preview(call: Call) -> wire.Answer:
    template = template_of(call)
    body = await call.json_object("JSON Record Data List")
    return _pdf_preview(call, template, records_in(call, body))


def _pdf_preview(call: Call, template: ManagedFile, records: list[Entity]) -> wire.Answer:
    Template(template).section("print")
    pages = [production.record_lines(record) for record in records]
    preview = call.engine.add_file(Bytes(drawing.pdf(pages)), OUTPUT, name="preview.pdf")
    return wire.text(preview.id)


async def image_preview_of_record(call: Call) -> wire.Answer:
    template = call.engine.files.need(call.query("templateId"), TEMPLATE)
    record = one_record(call, call.query("dataRecordId"))
    return _image_preview(template, [record], await _picture_options(call))


async def image_preview(call: Call) -> wire.Answer:
    template = template_of(call)
    body = await _picture_options(call)
    return _image_preview(template, records_in(call, body), body)


async def _picture_options(call: Call) -> dict[str, Any]:
    return await call.json_object("JSON Image Parameters", optional=True)


def _image_preview(
    template: ManagedFile, records: list[Entity], options: dict[str, Any]
) -> wire.Answer:
    context = options.get("context") or "print"
    if context not in CONTEXTS:
        raise Refusal(400, "Context not found", str(context))
    Template(template).section(context, options.get("section") or "")
    return pictures([production.record_lines(record) for record in records], options)


def pictures(pages: list[list[str]], options: dict[str, Any]) -> wire.Answer:
    """One picture, or an archive of them if asked for or if there are several."""
    kind = str(options.get("type") or "png").lower()
    if kind not in PICTURE_TYPES:
        raise Refusal(400, "Image type not supported", kind)
    try:
        dpi, quality = int(options.get("dpi") or 96), int(options.get("quality") or 75)
    except (TypeError, ValueError) as error:
        raise Refusal(500, "JSON Image Parameters invalid") from error
    drawn = [
        drawing.picture(page, picture_type=kind, dpi=min(max(dpi, 10), 300), quality=quality)
        for page in pages
    ]
    if len(drawn) == 1 and not options.get("archive"):
        headers = [wire.attachment(f"preview.{kind}")]
        return wire.Answer(200, Bytes(drawn[0]), PICTURE_TYPES[kind], headers)
    files = [(f"preview-{number}.{kind}", each) for number, each in enumerate(drawn, 1)]
    headers = [wire.attachment("preview.zip")]
    return wire.Answer(200, Bytes(drawing.archive(files)), wire.ZIP, headers)


ROUTES = (
    *service_routes(SERVICE),
    Route("POST", "/{templateId}/{dataSetId}", SERVICE, process),
    Route("POST", "/{templateId}", SERVICE, process_json),
    Route("GET", "/pdfpreviewdirect", SERVICE, pdf_preview_direct),
    Route("POST", "/pdfpreviewdirect", SERVICE, pdf_preview_direct),
    Route("POST", "/pdfpreview/{templateId}/{dmConfigId}", SERVICE, pdf_preview_mapped),
    Route("POST", "/pdfpreview/{templateId}", SERVICE, pdf_preview),
    Route("POST", "/imagepreview", SERVICE, image_preview_of_record),
    Route("POST", "/imagepreview/{templateId}", SERVICE, image_preview),
    *operation_routes(SERVICE, text_result),
)

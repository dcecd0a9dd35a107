"""The content creation service for HTML; everything in it answers at once."""

import mimetypes
from typing import Any

from gateway.simulator import wire
from gateway.simulator.call import Call
from gateway.simulator.content import Bytes
from gateway.simulator.entities import Entity
from gateway.simulator.errors import Refusal
from gateway.simulator.routes.common import one_record, records_in, service_routes
from gateway.simulator.routes.contentcreation import template_of
from gateway.simulator.routing import Route, Service
from gateway.simulator.templates import Template, filled, selected, with_styles

SERVICE = Service("HTMLMergeRestService", "/workflow/contentcreation/html")
INLINE = ("NONE", "CSS", "ALL", "LOCAL")
OPTIONS = ("section", "inline", "cssSelector")


async def of_record(call: Call) -> wire.Answer:
    record = one_record(call, call.params["dataRecordId"])
    return _page(call, record, _query_options(call))


async def of_record_json(call: Call) -> wire.Answer:
    """The body counts; clients repeat the same in the query, partly empty."""
    body = await call.json_object("JSON HTML Parameters", optional=True)
    call.parameters_in(body)
    record = one_record(call, call.params["dataRecordId"])
    return _page(call, record, {**_query_options(call), **body})


async def of_data(call: Call) -> wire.Answer:
    body = await call.json_object("JSON Record Data List", optional=True)
    call.parameters_in(body)
    record = records_in(call, body)[0] if body.get("data") else None
    return _page(call, record, {**_query_options(call), **body})


def _query_options(call: Call) -> dict[str, Any]:
    return {name: call.query(name) for name in OPTIONS}


def _page(call: Call, record: Entity | None, options: dict[str, Any]) -> wire.Answer:
    template = Template(template_of(call))
    inline = options.get("inline") or "NONE"
    if inline not in INLINE:
        raise Refusal(400, "Inline mode not supported", str(inline))
    text = template.section("web", options.get("section") or "")
    if inline in ("CSS", "ALL"):
        text = with_styles(template, text)
    values = {**(options.get("parameters") or {}), **(record.values if record else {})}
    page = filled(text, values)
    if selector := options.get("cssSelector"):
        page = selected(page, selector)
    return wire.text(page, wire.HTML)


async def template_resource(call: Call) -> wire.Answer:
    path = call.params["relPath"]
    part = Template(template_of(call)).resource(path)
    content_type = mimetypes.guess_type(path)[0] or wire.OCTETS
    return wire.Answer(content=Bytes(part), content_type=content_type)


ROUTES = (
    *service_routes(SERVICE),
    Route("GET", "/{templateId}/{dataRecordId: [0-9]+}", SERVICE, of_record),
    Route("POST", "/{templateId}/{dataRecordId: [0-9]+}", SERVICE, of_record_json),
    Route("POST", "/{templateId}", SERVICE, of_data),
    Route("GET", "/{templateId}/{relPath: .+}", SERVICE, template_resource),
)

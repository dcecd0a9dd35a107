"""The content creation service for e-mail."""

from typing import Any

from gateway.simulator import production, wire
from gateway.simulator.call import Call
from gateway.simulator.entities import Entity, Kind
from gateway.simulator.errors import Refusal
from gateway.simulator.operations import Outcome
from gateway.simulator.routes.common import (
    json_result,
    operation_routes,
    records_in,
    service_routes,
)
from gateway.simulator.routes.contentcreation import template_of
from gateway.simulator.routing import Route, Service
from gateway.simulator.templates import Template, filled

SERVICE = Service("EmailExportRestService", "/workflow/contentcreation/email")
ADDRESS_FIELDS = ("email", "e-mail", "emailaddress", "mail")


async def process(call: Call) -> wire.Answer:
    body = await call.json_object("JSON Email Parameters", optional=True)
    data_set = call.engine.entities.find(Kind.DATA_SET, call.params["dataSetId"])
    if data_set is None:
        # This service words it unlike its siblings, and the vendor's client insists on it.
        raise Refusal(404, "Data set not found", call.params["dataSetId"])
    return _start(call, body, call.engine.entities.children(data_set))


async def process_json(call: Call) -> wire.Answer:
    body = await call.json_object("JSON Identifier List")
    return _start(call, body, records_in(call, body))


def _start(call: Call, options: dict[str, Any], records: list[Entity]) -> wire.Answer:
    template = template_of(call)
    values = call.parameters_in(options)
    section = call.query("section")

    def work() -> Outcome:
        text = Template(template).section("email", section)
        content_set = production.create_content_set(call.engine, template, records, context="email")
        output = _output(records, text, options, values)
        return Outcome("Email", json={**output, "contentSet": content_set.id})

    operation = call.start(
        work,
        records=len(records),
        resources={"template": template.name or str(template.id)},
        sub_task="Email content creation",
    )
    return call.accepted(operation)


def _output(
    records: list[Entity], text: str, options: dict[str, Any], parameters: dict[str, Any]
) -> dict[str, Any]:
    """JSON Email Output List; a record without an address becomes an error."""
    messages, errors = [], []
    for record in records:
        address = _address(record)
        if not address:
            errors.append({"record": record.id, "message": "No recipient address"})
            continue
        body = filled(text, {**parameters, **record.values})
        messages.append(_message(record, address, body, options))
    return {"messages": messages, "errors": errors}


def _address(record: Entity) -> str:
    for name, value in record.values.items():
        if name.lower() in ADDRESS_FIELDS:
            return str(value)
    return ""


def _message(record: Entity, address: str, body: str, options: dict[str, Any]) -> dict[str, Any]:
    attachments = [
        {"name": name, "disposition": "attachment"}
        for name, asked in (
            ("print.pdf", options.get("attachPdfPage")),
            ("web.html", options.get("attachWebPage")),
        )
        if asked
    ]
    message: dict[str, Any] = {
        "attachments": attachments,
        "subject": "Section 1",
        "to": address,
        "from": options.get("sender") or "sender@example.com",
        "folder": record.id,
        "body": body,
        "text": "\n".join(production.record_lines(record)),
    }
    if options.get("eml"):
        message["eml"] = f"{record.id}.eml"
    return message


ROUTES = (
    *service_routes(SERVICE),
    Route("POST", "/{templateId}", SERVICE, process_json),
    Route("POST", "/{templateId}/{dataSetId}", SERVICE, process),
    *operation_routes(SERVICE, json_result),
)

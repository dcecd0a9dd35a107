"""The file store service."""

import base64
import mimetypes
from typing import Any
from xml.etree import ElementTree

from gateway.simulator import files, wire
from gateway.simulator.call import Call
from gateway.simulator.content import Bytes
from gateway.simulator.errors import Refusal
from gateway.simulator.files import ManagedFile
from gateway.simulator.routes.common import service_routes
from gateway.simulator.routing import FILES, RESOURCE, Handler, Route, Service
from gateway.simulator.templates import CONTEXTS, Template

SERVICE = Service("FilestoreRestService", "/filestore")
REPORT_PARTS = (
    "sections", "media", "scripts", "datamodel", "properties", "locale", "images", "masters",
    "contexts",
)  # fmt: skip


def upload_of(file_type: str) -> Handler:
    async def upload(call: Call) -> wire.Answer:
        file = call.engine.add_file(
            await call.upload(),
            file_type,
            name=call.query("filename"),
            persistent=call.flag("persistent"),
        )
        return wire.text(file.id)

    return upload


async def synchronize_file(call: Call) -> wire.Answer:
    return await _synchronize(call, directory=False)


async def synchronize_directory(call: Call) -> wire.Answer:
    return await _synchronize(call, directory=True)


async def _synchronize(call: Call, *, directory: bool) -> wire.Answer:
    old = call.engine.files.get(call.params["fileId"])
    return wire.text(call.engine.files.replace(old, await call.upload(), directory=directory).id)


async def download(call: Call) -> wire.Answer:
    file = call.engine.files.get(call.params["fileId"])
    zipped = file.directory or file.type == files.TEMPLATE
    name = file.name or str(file.id)
    shown = name.removesuffix(".OL-template") + ".zip" if zipped and name[-4:] != ".zip" else name
    return wire.Answer(
        content=file.content,
        content_type=wire.ZIP if zipped else wire.OCTETS,
        headers=[wire.attachment(shown), ("OL-Original-Filename", wire.header_text(name))],
    )


async def download_part(call: Call) -> wire.Answer:
    file = call.engine.files.get(call.params["fileId"])
    path = call.params["relPath"]
    try:
        part = Template(file).resource(path)
    except Refusal as refusal:
        raise Refusal(404, "File not found in Managed Directory", path) from refusal
    if call.query("output") == "base64":
        return wire.text(base64.b64encode(part).decode())
    content_type = mimetypes.guess_type(path)[0] or wire.OCTETS
    return wire.Answer(content=Bytes(part), content_type=content_type)


async def delete(call: Call) -> wire.Answer:
    file = call.engine.files.get(call.params["fileId"])
    if is_in_use(call, file):
        raise Refusal(400, "Deletion failed. File is still required by OL Connect", str(file.id))
    call.engine.files.delete(file)
    return wire.true_or_false(True)


def is_in_use(call: Call, file: ManagedFile) -> bool:
    """While an operation runs with it."""
    names = {str(file.id), file.name} - {""}
    return any(
        not names.isdisjoint(operation.resources.values())
        for operation in call.engine.operations.active()
    )


async def resources(call: Call) -> wire.Answer:
    types = tuple(filter(None, call.query("type").split(",")))
    for name in types:
        if name not in files.FILE_TYPES:
            raise Refusal(500, f"No enum constant com.objectiflune.ManagedFileType.{name}", name)
    found = call.engine.files.resources(types or files.LISTED_BY_DEFAULT)
    return wire.json_answer([_resource(file) for file in found])


def _resource(file: ManagedFile) -> dict[str, Any]:
    return {
        "id": file.id,
        "name": file.name,
        "path": f"filestore/{file.id}",
        "type": file.type,
        "size": file.content.size,
    }


def runtime_parameters_of(file_type: str) -> Handler:
    async def runtime_parameters(call: Call) -> wire.Answer:
        """The simulator's own configurations declare none; the real structure is not published."""
        call.engine.files.need(call.params["fileId"], file_type)
        return wire.json_answer({"parameters": []})

    return runtime_parameters


async def template_report(call: Call) -> wire.Answer:
    template = Template(call.engine.files.need(call.params["fileId"], files.TEMPLATE))
    parts = tuple(filter(None, call.query("filter").split(","))) or REPORT_PARTS
    if not set(parts) <= set(REPORT_PARTS):
        raise Refusal(400, "Invalid filter", call.query("filter"))
    report = {part: _report_part(template, part) for part in parts}
    accept = call.request.headers.get("Accept", "*/*")
    if any(kind in accept for kind in (wire.JSON, "*/*", "application/*")):
        return wire.json_answer(report)
    if "application/xml" not in accept:
        raise Refusal(406, "Not Acceptable", accept)
    return wire.Answer(content=Bytes(_report_xml(report)), content_type="application/xml")


def _report_part(template: Template, part: str) -> list[str]:
    contexts = [context for context in CONTEXTS if template.sections(context)]
    if part == "contexts":
        return contexts
    if part == "sections":
        return [name for context in contexts for name in template.sections(context)]
    if part == "properties":
        return [template.file.name]
    ending = {"images": (".png", ".jpg"), "scripts": (".js",)}.get(part)
    return [name for name in template.names() if ending and name.endswith(ending)]


def _report_xml(report: dict[str, list[str]]) -> bytes:
    root = ElementTree.Element("report")
    for part, names in report.items():
        element = ElementTree.SubElement(root, part)
        for name in names:
            ElementTree.SubElement(element, "item").text = name
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


UPLOADS = {
    "DataFile": (files.DATA_FILE, FILES),
    "DataMiningConfig": (files.DATAMAPPER, RESOURCE),
    "template": (files.TEMPLATE, RESOURCE),
    "JobCreationConfig": (files.JOB_PRESET, RESOURCE),
    "OutputCreationConfig": (files.OUTPUT_PRESET, RESOURCE),
}
WITH_PARAMETERS = ("DataMiningConfig", "JobCreationConfig", "template")

ROUTES = (
    *service_routes(SERVICE),
    Route("POST", "/file/{fileId}", SERVICE, synchronize_file, RESOURCE),
    Route("POST", "/dir/{fileId}", SERVICE, synchronize_directory, RESOURCE),
    Route("HEAD", "/file/{fileId}", SERVICE, download, FILES),
    Route("GET", "/file/{fileId}", SERVICE, download, FILES),
    Route("GET", "/file/{fileId}/{relPath: .+}", SERVICE, download_part, FILES),
    Route("GET", "/delete/{fileId}", SERVICE, delete, FILES),
    Route("POST", "/delete/{fileId}", SERVICE, delete, FILES),
    Route("GET", "/resources", SERVICE, resources, FILES),
    *(
        Route("POST", f"/{path}", SERVICE, upload_of(file_type), roles)
        for path, (file_type, roles) in UPLOADS.items()
    ),
    *(
        Route(
            "GET",
            f"/{path}/runtimeparameters/{{fileId}}",
            SERVICE,
            runtime_parameters_of(UPLOADS[path][0]),
            FILES,
        )
        for path in WITH_PARAMETERS
    ),
    Route("GET", "/template/report/{fileId}", SERVICE, template_report, FILES),
)

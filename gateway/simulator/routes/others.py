"""Search, job set statistics and rasterizing."""

from typing import Any

from gateway.simulator import data, search, wire
from gateway.simulator.call import Call
from gateway.simulator.entities import Entity, Kind
from gateway.simulator.errors import Refusal
from gateway.simulator.files import DATA_FILE
from gateway.simulator.production import documents_of
from gateway.simulator.routes.common import service_routes
from gateway.simulator.routes.contentcreation import pictures
from gateway.simulator.routes.entities import name_value_list
from gateway.simulator.routing import WATCHING, Route, Service

ENTITY = Service("EntityRestService", "/entity")
STATISTICS = Service("StatisticsRestService", "/statistics")
CONVERSION = Service("ConversionRestService", "/workflow/rasterize")
LEVELS = ("documentonly", "documentsetonly", "documentsetall")


async def find(call: Call) -> wire.Answer:
    body = await call.json("JSON Search Parameters")
    return wire.json_answer(search.find(call.engine, body))


async def job_set_statistics(call: Call) -> wire.Answer:
    level = call.query("levelMode", "documentOnly").lower()
    if level not in LEVELS:
        raise Refusal(400, "Invalid levelMode", call.query("levelMode"))
    job_set = call.engine.entities.get(Kind.JOB_SET, call.params["jobSetID"])
    documents = documents_of(call.engine, job_set)
    statistics: dict[str, Any] = {
        "jobSetId": job_set.id,
        "properties": name_value_list(job_set.properties),
        "counts": _counts(documents),
        "media": [
            {
                "name": "Plain A4",
                "type": "plain",
                "size": {"width": "210mm", "height": "297mm"},
                "color": "white",
                "weight": "80",
                "count": len(documents),
            }
        ],
    }
    if level == "documentonly":
        statistics["documents"] = [_document(call, document) for document in documents]
    else:
        statistics["documentSets"] = _document_sets(call, documents, level == "documentsetall")
    return wire.json_answer(statistics)


def _counts(documents: list[Entity]) -> dict[str, int]:
    return {"sheets": len(documents), "pages": len(documents)}


def _document(call: Call, document: Entity) -> dict[str, Any]:
    item = call.engine.entities.find(Kind.CONTENT_ITEM, document.source)
    return {
        "documentId": document.id,
        "contentItemId": document.source,
        "dataRecordId": item.source if item else 0,
        "properties": name_value_list(document.properties),
        "counts": _counts([document]),
        "media": {"0": 1},
    }


def _document_sets(call: Call, documents: list[Entity], detailed: bool) -> list[dict[str, Any]]:
    sets: dict[int, list[Entity]] = {}
    for document in documents:
        sets.setdefault(document.parent, []).append(document)
    shown = []
    for number, members in sets.items():
        entry: dict[str, Any] = {
            "documentSetId": number,
            "counts": _counts(members),
            "media": {"0": len(members)},
        }
        if detailed:
            entry["documents"] = [_document(call, document) for document in members]
        shown.append(entry)
    return shown


async def rasterize(call: Call) -> wire.Answer:
    """The pages that ``pages`` names, all of them if it names none."""
    file = call.engine.files.need(call.params["dataFileID"], DATA_FILE)
    options = await call.json_object("JSON Bitmap Parameters", optional=True)
    try:
        pages = data.pdf_rows(file.content.read())
    except data.UnreadableData as error:
        raise Refusal(500, str(error), str(file.id)) from error
    wanted = _page_numbers(str(options.get("pages") or f"1-{len(pages)}"), len(pages))
    return pictures([[f"Page {number}"] for number in wanted], options)


def _page_numbers(text: str, last: int) -> list[int]:
    numbers: list[int] = []
    for part in text.split(","):
        start, dash, end = part.strip().partition("-")
        if not start.isdigit() or (dash and not end.isdigit()):
            raise Refusal(500, "Invalid page range", text)
        numbers += range(int(start), min(int(end or start), last) + 1)
    wanted = [number for number in numbers if 1 <= number <= last]
    if not wanted:
        raise Refusal(500, "Invalid page range", text)
    return wanted


ROUTES = (
    *service_routes(ENTITY),
    Route("PUT", "/find", ENTITY, find),
    Route("GET", "/jobset/{jobSetID}", STATISTICS, job_set_statistics, WATCHING),
    Route("POST", "/{dataFileID}", CONVERSION, rasterize),
)

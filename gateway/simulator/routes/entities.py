"""The entity services but for data records: lists, members, properties, metadata, deletion."""

from typing import Any

from gateway.simulator import wire
from gateway.simulator.call import Call
from gateway.simulator.entities import Entity, Kind
from gateway.simulator.errors import Refusal
from gateway.simulator.production import documents_of
from gateway.simulator.routes.common import service_routes, version_route
from gateway.simulator.routing import Handler, Route, Service

MEDIA = {"name": "Plain A4", "size": "A4", "width": "210mm", "height": "297mm"}

DATA_SETS = Service("DataSetEntityRestService", "/entity/datasets")
CONTENT_SETS = Service("ContentSetEntityRestService", "/entity/contentsets")
CONTENT_ITEMS = Service("ContentItemEntityRestService", "/entity/contentitems")
DOCUMENTS = Service("DocumentEntityRestService", "/entity/documents")
DOCUMENT_SETS = Service("DocumentSetEntityRestService", "/entity/documentsets")
JOBS = Service("JobEntityRestService", "/entity/jobs")
JOB_SEGMENTS = Service("JobSegmentEntityRestService", "/entity/jobsegments")
JOB_SETS = Service("JobSetEntityRestService", "/entity/jobsets")

PATH_NAMES = {
    Kind.DATA_SET: "dataSetId",
    Kind.DATA_RECORD: "dataRecordId",
    Kind.CONTENT_SET: "contentSetId",
    Kind.CONTENT_ITEM: "contentItemId",
    Kind.DOCUMENT: "documentId",
    Kind.DOCUMENT_SET: "documentSetId",
    Kind.JOB: "jobId",
    Kind.JOB_SEGMENT: "jobSegmentId",
    Kind.JOB_SET: "jobSetId",
}


def named(call: Call, kind: Kind) -> Entity:
    """The entity that the path names."""
    return call.engine.entities.get(kind, call.params[PATH_NAMES[kind]])


def name_value_list(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _values_in(call: Call, body: Any) -> dict[str, str]:
    try:
        return {str(each["name"]): str(each["value"]) for each in body["properties"]}
    except (TypeError, KeyError) as error:
        raise call.bad_json("JSON Name/Value List") from error


def list_of(kind: Kind) -> Handler:
    async def list_all(call: Call) -> wire.Answer:
        return wire.identifiers([entity.id for entity in call.engine.entities.all(kind)])

    return list_all


def members_of(kind: Kind) -> Handler:
    async def members(call: Call) -> wire.Answer:
        entity = named(call, kind)
        return wire.identifiers([child.id for child in call.engine.entities.children(entity)])

    return members


def delete_of(kind: Kind) -> Handler:
    async def delete(call: Call) -> wire.Answer:
        """``false`` where there is nothing to delete."""
        entity = call.engine.entities.find(kind, call.params[PATH_NAMES[kind]])
        if entity:
            call.engine.entities.delete(entity)
        return wire.true_or_false(entity is not None)

    return delete


def value_routes(service: Service, kind: Kind, which: str) -> tuple[Route, ...]:
    """GET and PUT of ``properties`` or ``metadata``; a PUT replaces them all."""

    async def get_values(call: Call) -> wire.Answer:
        return wire.json_answer(name_value_list(getattr(named(call, kind), which)))

    async def put_values(call: Call) -> wire.Answer:
        body = await call.json_object("JSON Name/Value List")
        if str(body.get("id")) != call.params[PATH_NAMES[kind]]:
            raise Refusal(500, f"Server error or {kind} ID mismatch in JSON", str(body.get("id")))
        setattr(named(call, kind), which, _values_in(call, body))
        return wire.true_or_false(True)

    path = f"/{{{PATH_NAMES[kind]}}}/{which}"
    return (
        Route("GET", path, service, get_values),
        Route("PUT", path, service, put_values),
    )


def put_many_route(service: Service, kind: Kind) -> Route:
    """JSON Name/Value Lists: "update one or more properties", so others stay as they were."""

    async def put_many(call: Call) -> wire.Answer:
        body = await call.json("JSON Name/Value Lists")
        if not isinstance(body, list) or not all(isinstance(each, dict) for each in body):
            raise call.bad_json("JSON Name/Value Lists")
        changes = [
            (call.engine.entities.get(kind, each.get("id")), _values_in(call, each))
            for each in body
        ]
        for entity, values in changes:
            entity.properties.update(values)
        return wire.empty()

    return Route("PUT", "/properties", service, put_many)


async def content_set_members(call: Call) -> wire.Answer:
    content_set = named(call, Kind.CONTENT_SET)
    return content_item_list(call.engine.entities.children(content_set))


def content_item_list(items: list[Entity]) -> wire.Answer:
    """JSON Content Item Identifier List."""
    pairs = [{"item": item.id, "record": item.source} for item in items]
    return wire.json_answer({"identifiers": pairs})


async def content_set_pages(call: Call) -> wire.Answer:
    """A page per content item; a summary unless ``detail`` is asked for."""
    items = call.engine.entities.children(named(call, Kind.CONTENT_SET))
    if call.flag("detail"):
        one_page = [{"count": 1, "media": MEDIA}]
        return wire.json_answer([{"id": item.id, "pages": one_page} for item in items])
    return wire.json_answer({"pages": [{"count": len(items), "media": MEDIA}]})


async def record_of_item(call: Call) -> wire.Answer:
    return wire.json_answer({"record": named(call, Kind.CONTENT_ITEM).source})


async def job_contents(call: Call) -> wire.Answer:
    entities = call.engine.entities
    documents = documents_of(call.engine, named(call, Kind.JOB))
    found = [entities.find(Kind.CONTENT_ITEM, document.source) for document in documents]
    return content_item_list([item for item in found if item])


def _set_routes(service: Service, kind: Kind, members: Handler) -> tuple[Route, ...]:
    """The three kinds of sets list themselves where others shake hands."""
    path = f"/{{{PATH_NAMES[kind]}}}"
    return (
        Route("GET", "", service, list_of(kind)),
        Route("GET", path, service, members),
        Route("POST", f"{path}/delete", service, delete_of(kind)),
        *value_routes(service, kind, "properties"),
        version_route(service),
    )


ROUTES = (
    *_set_routes(DATA_SETS, Kind.DATA_SET, members_of(Kind.DATA_SET)),
    *_set_routes(CONTENT_SETS, Kind.CONTENT_SET, content_set_members),
    Route("GET", "/{contentSetId}/pages", CONTENT_SETS, content_set_pages),
    *service_routes(CONTENT_ITEMS),
    Route("GET", "/{contentItemId}/datarecord", CONTENT_ITEMS, record_of_item),
    *value_routes(CONTENT_ITEMS, Kind.CONTENT_ITEM, "properties"),
    put_many_route(CONTENT_ITEMS, Kind.CONTENT_ITEM),
    *service_routes(DOCUMENTS),
    *value_routes(DOCUMENTS, Kind.DOCUMENT, "metadata"),
    *service_routes(DOCUMENT_SETS),
    Route("GET", "/{documentSetId}", DOCUMENT_SETS, members_of(Kind.DOCUMENT_SET)),
    *value_routes(DOCUMENT_SETS, Kind.DOCUMENT_SET, "metadata"),
    *service_routes(JOBS),
    Route("GET", "/{jobId}/contents", JOBS, job_contents),
    Route("GET", "/{jobId}", JOBS, members_of(Kind.JOB)),
    *value_routes(JOBS, Kind.JOB, "metadata"),
    *value_routes(JOBS, Kind.JOB, "properties"),
    put_many_route(JOBS, Kind.JOB),
    *service_routes(JOB_SEGMENTS),
    Route("GET", "/{jobSegmentId}", JOB_SEGMENTS, members_of(Kind.JOB_SEGMENT)),
    *value_routes(JOB_SEGMENTS, Kind.JOB_SEGMENT, "metadata"),
    *_set_routes(JOB_SETS, Kind.JOB_SET, members_of(Kind.JOB_SET)),
    *value_routes(JOB_SETS, Kind.JOB_SET, "metadata"),
)

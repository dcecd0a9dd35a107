"""The entity services: what data mapping, content and job creation leave at OL Connect."""

from collections.abc import Iterator

from gateway.catalogue.endpoint import Endpoint, Role, Selected
from gateway.model import Kind

_ITEMS: Selected = {
    "identifiers[].item": Kind.CONTENT_ITEM,
    "identifiers[].record": Kind.DATA_RECORD,
}
_RECORD_CONTENT: Selected = {"id": Kind.DATA_RECORD, "records[].id": Kind.DATA_RECORD}
_RECORD_CONTENTS: Selected = {"[].id": Kind.DATA_RECORD, "[].records[].id": Kind.DATA_RECORD}


def _service(service: str, path: str, list_of: Kind | None = None) -> Iterator[Endpoint]:
    """Handshake and version. Three services answer the handshake's URI with their list."""
    if list_of is None:
        yield Endpoint(f"{service}.service_handshake", "GET", path, Role.HANDSHAKE, repeatable=True)
    else:
        yield Endpoint(
            f"{service}.get_all_{list_of}s",
            "GET",
            path,
            Role.LIST,
            answer={"identifiers[]": list_of},
            repeatable=True,
        )
    yield Endpoint(
        f"{service}.service_version", "GET", f"{path}/version", Role.VERSION, repeatable=True
    )


def _facet(service: str, path: str, facet: str, kind: Kind) -> Iterator[Endpoint]:
    """GET and PUT of an entity's name/value list. A PUT names its entity twice: path and body."""
    yield Endpoint(
        f"{service}.get_{facet}", "GET", f"{path}/{facet}", Role.READ, facet=facet, repeatable=True
    )
    yield Endpoint(
        f"{service}.update_{facet}",
        "PUT",
        f"{path}/{facet}",
        Role.WRITE,
        body={"id": kind},
        facet=facet,
        repeatable=True,
    )


def _multiple(service: str, path: str, kind: Kind) -> Endpoint:
    return Endpoint(
        f"{service}.update_multiple_properties",
        "PUT",
        f"{path}/properties",
        Role.WRITE,
        body={"[].id": kind},
        facet="properties",
        repeatable=True,
    )


def _read(name: str, path: str, answer: Selected, query: Selected | None = None) -> Endpoint:
    return Endpoint(name, "GET", path, Role.READ, query=query or {}, answer=answer, repeatable=True)


def _delete(service: str, path: str, noun: str) -> Endpoint:
    return Endpoint(f"{service}.delete_{noun}", "POST", f"{path}/delete", Role.DELETE)


_DR = "/entity/datarecords"
_DS = "/entity/datasets"
_CS = "/entity/contentsets"
_CI = "/entity/contentitems"
_D = "/entity/documents"
_DOCS = "/entity/documentsets"
_J = "/entity/jobs"
_SEG = "/entity/jobsegments"
_JS = "/entity/jobsets"

ENTITIES: tuple[Endpoint, ...] = (
    *_service("data_record_entity", _DR),
    Endpoint(
        "data_record_entity.add_data_records",
        "POST",
        _DR,
        Role.WRITE,
        # The documents show one such list as well as several.
        body={
            "[].datasetid": Kind.DATA_SET,
            "[].recordid": Kind.DATA_RECORD,
            "datasetid": Kind.DATA_SET,
            "recordid": Kind.DATA_RECORD,
        },
    ),
    Endpoint(
        "data_record_entity.update_data_records",
        "PUT",
        _DR,
        Role.WRITE,
        body={"[].id": Kind.DATA_RECORD},
        repeatable=True,
    ),
    _read("data_record_entity.get_values", f"{_DR}/{{dataRecordId}}/values", _RECORD_CONTENT),
    Endpoint(
        "data_record_entity.update_values",
        "PUT",
        f"{_DR}/{{dataRecordId}}/values",
        Role.WRITE,
        body={"id": Kind.DATA_RECORD},
        repeatable=True,
    ),
    _read(
        "data_record_entity.get_multiple_values",
        f"{_DR}/values",
        _RECORD_CONTENTS,
        query={"id": Kind.DATA_RECORD},
    ),
    Endpoint(
        "data_record_entity.get_multiple_values_json",
        "POST",
        f"{_DR}/values",
        Role.READ,
        body={"recordids[]": Kind.DATA_RECORD},
        answer=_RECORD_CONTENTS,
        repeatable=True,
    ),
    *_facet("data_record_entity", f"{_DR}/{{dataRecordId}}", "properties", Kind.DATA_RECORD),
    _multiple("data_record_entity", _DR, Kind.DATA_RECORD),
    *_service("data_set_entity", _DS, list_of=Kind.DATA_SET),
    _read(
        "data_set_entity.get_data_records",
        f"{_DS}/{{dataSetId}}",
        {"identifiers[]": Kind.DATA_RECORD},
    ),
    _delete("data_set_entity", f"{_DS}/{{dataSetId}}", "data_set"),
    *_facet("data_set_entity", f"{_DS}/{{dataSetId}}", "properties", Kind.DATA_SET),
    *_service("content_set_entity", _CS, list_of=Kind.CONTENT_SET),
    _read("content_set_entity.get_content_items", f"{_CS}/{{contentSetId}}", _ITEMS),
    _read("content_set_entity.get_page_details", f"{_CS}/{{contentSetId}}/pages", {}),
    _delete("content_set_entity", f"{_CS}/{{contentSetId}}", "content_set"),
    *_facet("content_set_entity", f"{_CS}/{{contentSetId}}", "properties", Kind.CONTENT_SET),
    *_service("content_item_entity", _CI),
    _read(
        "content_item_entity.get_data_record",
        f"{_CI}/{{contentItemId}}/datarecord",
        {"record": Kind.DATA_RECORD},
    ),
    *_facet("content_item_entity", f"{_CI}/{{contentItemId}}", "properties", Kind.CONTENT_ITEM),
    _multiple("content_item_entity", _CI, Kind.CONTENT_ITEM),
    *_service("document_entity", _D),
    *_facet("document_entity", f"{_D}/{{documentId}}", "metadata", Kind.DOCUMENT),
    *_service("document_set_entity", _DOCS),
    _read(
        "document_set_entity.get_documents",
        f"{_DOCS}/{{documentSetId}}",
        {"identifiers[]": Kind.DOCUMENT},
    ),
    *_facet("document_set_entity", f"{_DOCS}/{{documentSetId}}", "metadata", Kind.DOCUMENT_SET),
    *_service("job_entity", _J),
    _read("job_entity.get_content_items", f"{_J}/{{jobId}}/contents", _ITEMS),
    _read("job_entity.get_job_segments", f"{_J}/{{jobId}}", {"identifiers[]": Kind.JOB_SEGMENT}),
    *_facet("job_entity", f"{_J}/{{jobId}}", "metadata", Kind.JOB),
    *_facet("job_entity", f"{_J}/{{jobId}}", "properties", Kind.JOB),
    _multiple("job_entity", _J, Kind.JOB),
    *_service("job_segment_entity", _SEG),
    _read(
        "job_segment_entity.get_document_sets",
        f"{_SEG}/{{jobSegmentId}}",
        {"identifiers[]": Kind.DOCUMENT_SET},
    ),
    *_facet("job_segment_entity", f"{_SEG}/{{jobSegmentId}}", "metadata", Kind.JOB_SEGMENT),
    *_service("job_set_entity", _JS, list_of=Kind.JOB_SET),
    _read("job_set_entity.get_jobs", f"{_JS}/{{jobSetId}}", {"identifiers[]": Kind.JOB}),
    _delete("job_set_entity", f"{_JS}/{{jobSetId}}", "job_set"),
    *_facet("job_set_entity", f"{_JS}/{{jobSetId}}", "metadata", Kind.JOB_SET),
    *_facet("job_set_entity", f"{_JS}/{{jobSetId}}", "properties", Kind.JOB_SET),
    Endpoint("entity.service_handshake", "GET", "/entity", Role.HANDSHAKE, repeatable=True),
    Endpoint("entity.find", "PUT", "/entity/find", Role.SEARCH, repeatable=True),
    Endpoint("entity.service_version", "GET", "/entity/version", Role.VERSION, repeatable=True),
)

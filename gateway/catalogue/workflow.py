"""The workflow services: data mapping, content, job and output creation, All-In-One."""

from collections.abc import Iterator, Mapping

from gateway.catalogue.endpoint import TEXT, Endpoint, Role, Selected
from gateway.model import Kind

_DATA = Kind.DATA_SET
_CONTENT = Kind.CONTENT_SET

_ALL_IN_ONE_BODY: Selected = {
    "datamining.identifier": Kind.FILE,
    "datamining.config": Kind.PRESET,
    "contentcreation.identifiers[]": Kind.DATA_RECORD,
    "contentcreation.config": Kind.PRESET,
    "jobcreation.identifiers[]": Kind.CONTENT_SET,
    "jobcreation.config": Kind.PRESET,
    "outputcreation.identifiers[]": Kind.JOB,
    "outputcreation.config": Kind.PRESET,
}


def _service(service: str, path: str) -> Iterator[Endpoint]:
    yield Endpoint(f"{service}.service_handshake", "GET", path, Role.HANDSHAKE, repeatable=True)
    yield Endpoint(
        f"{service}.service_version", "GET", f"{path}/version", Role.VERSION, repeatable=True
    )


def _operations(service: str, path: str, answers: Mapping[str, Selected]) -> Iterator[Endpoint]:
    """What every asynchronous service offers; ``answers`` maps its result methods to their ids."""
    yield from _service(service, path)
    yield Endpoint(
        f"{service}.get_operations",
        "GET",
        f"{path}/getOperations",
        Role.OPERATIONS,
        answer={"[].id": Kind.OPERATION},
        repeatable=True,
    )
    yield Endpoint(
        f"{service}.get_progress",
        "GET",
        f"{path}/getProgress/{{operationId}}",
        Role.PROGRESS,
        repeatable=True,
    )
    names = {
        "getResult": "get_result",
        "getResultTxt": "get_result_text",
        "getManagedResult": "get_managed_result",
    }
    for method, answer in answers.items():
        yield Endpoint(
            f"{service}.{names[method]}",
            "POST",
            f"{path}/{method}/{{operationId}}",
            Role.RESULT,
            answer=answer,
        )
    yield Endpoint(f"{service}.cancel", "POST", f"{path}/cancel/{{operationId}}", Role.CANCEL)


def _start(
    name: str,
    path: str,
    result: Kind | None,
    body: Selected | None = None,
    query: Selected | None = None,
) -> Endpoint:
    return Endpoint(
        name, "POST", path, Role.START, query=query or {}, body=body or {}, result=result
    )


def _preview(
    name: str,
    method: str,
    path: str,
    query: Selected | None = None,
    answer: Selected | None = None,
) -> Endpoint:
    return Endpoint(name, method, path, Role.PREVIEW, query=query or {}, answer=answer or {})


_DM = "/workflow/datamining"
_CC = "/workflow/contentcreation"
_EMAIL = "/workflow/contentcreation/email"
_HTML = "/workflow/contentcreation/html"
_JC = "/workflow/jobcreation"
_OC = "/workflow/outputcreation"
_AIO = "/workflow/print"

_CONTENT_ITEM_OF_STRUCTURE = (
    "jobs[].segments[].documentsets[].documents[].documentpages[].contentitem"
)
_RECORDS: Selected = {"identifiers[]": Kind.DATA_RECORD}
_BY_QUERY: Selected = {"templateId": Kind.PRESET, "dataRecordId": Kind.DATA_RECORD}
_MANAGED_FILE: Selected = {TEXT: Kind.FILE, "identifier": Kind.FILE}

WORKFLOW: tuple[Endpoint, ...] = (
    *_operations("data_mapping", _DM, {"getResult": {TEXT: _DATA}}),
    _start("data_mapping.process", f"{_DM}/{{configId}}/{{dataFileId}}", _DATA),
    _start("data_mapping.process_json", f"{_DM}/{{configId}}", _DATA, {"identifier": Kind.FILE}),
    _start("data_mapping.process_pdfvt_to_data_set", f"{_DM}/pdfvtds/{{dataFileId}}", _DATA),
    _start("data_mapping.process_pdfvt_to_content_set", f"{_DM}/pdfvtcs/{{dataFileId}}", _CONTENT),
    _start(
        "data_mapping.create_content_set",
        f"{_DM}/createcontentset/{{dataFileId}}",
        _CONTENT,
        {"identifier": Kind.PRESET},
    ),
    *_operations("content_creation", _CC, {"getResult": {TEXT: _CONTENT}}),
    _start("content_creation.process_by_data_set", f"{_CC}/{{templateId}}/{{dataSetId}}", _CONTENT),
    _start("content_creation.process_by_data_record", f"{_CC}/{{templateId}}", _CONTENT, _RECORDS),
    Endpoint(
        "content_creation.create_preview_pdf_by_data_record",
        "GET",
        f"{_CC}/pdfpreviewdirect",
        Role.PREVIEW,
        query=_BY_QUERY,
        answer={TEXT: Kind.FILE},
    ),
    Endpoint(
        "content_creation.create_preview_pdf_by_data_record_json",
        "POST",
        f"{_CC}/pdfpreviewdirect",
        Role.PREVIEW,
        query=_BY_QUERY,
        answer={TEXT: Kind.FILE},
    ),
    _preview(
        "content_creation.create_preview_pdf_by_data_file",
        "POST",
        f"{_CC}/pdfpreview/{{templateId}}/{{dmConfigId}}",
        answer={TEXT: Kind.FILE},
    ),
    _preview(
        "content_creation.create_preview_pdf_by_data",
        "POST",
        f"{_CC}/pdfpreview/{{templateId}}",
        answer={TEXT: Kind.FILE},
    ),
    _preview(
        "content_creation.create_preview_image_by_data_record",
        "POST",
        f"{_CC}/imagepreview",
        query=_BY_QUERY,
    ),
    _preview(
        "content_creation.create_preview_image_by_data",
        "POST",
        f"{_CC}/imagepreview/{{templateId}}",
    ),
    *_operations("email", _EMAIL, {"getResult": {"contentSet": _CONTENT}}),
    _start("email.process_by_data_record", f"{_EMAIL}/{{templateId}}", _CONTENT, _RECORDS),
    _start("email.process_by_data_set", f"{_EMAIL}/{{templateId}}/{{dataSetId}}", _CONTENT),
    *_service("html", _HTML),
    _preview("html.process_by_data_record", "GET", f"{_HTML}/{{templateId}}/{{dataRecordId}}"),
    _preview(
        "html.process_by_data_record_json", "POST", f"{_HTML}/{{templateId}}/{{dataRecordId}}"
    ),
    _preview("html.process_by_data", "POST", f"{_HTML}/{{templateId}}"),
    Endpoint(
        "html.get_template_resource",
        "GET",
        f"{_HTML}/{{templateId}}/{{relPath}}",
        Role.READ,
        repeatable=True,
    ),
    *_operations("job_creation", _JC, {"getResult": {TEXT: Kind.JOB_SET}}),
    _start(
        "job_creation.process",
        f"{_JC}/{{configId}}",
        Kind.JOB_SET,
        {"identifiers[]": Kind.CONTENT_SET},
    ),
    _start(
        "job_creation.process_by_structure",
        _JC,
        Kind.JOB_SET,
        {_CONTENT_ITEM_OF_STRUCTURE: Kind.CONTENT_ITEM},
    ),
    _start(
        "job_creation.process_default",
        f"{_JC}/default",
        Kind.JOB_SET,
        {"identifiers[]": Kind.CONTENT_SET},
    ),
    *_operations(
        "output_creation",
        _OC,
        {"getResult": {}, "getResultTxt": {}, "getManagedResult": _MANAGED_FILE},
    ),
    _start("output_creation.process", f"{_OC}/{{configId}}/{{jobSetId}}", Kind.FILE),
    _start(
        "output_creation.process_by_job_set",
        f"{_OC}/{{configId}}",
        Kind.FILE,
        {"identifier": Kind.JOB_SET},
    ),
    _start(
        "output_creation.process_by_job",
        f"{_OC}/{{configId}}/jobs",
        Kind.FILE,
        {"identifiers[]": Kind.JOB},
    ),
    Endpoint("output_creation.run_enhance", "GET", f"{_OC}/execute/{{args}}/{{size}}", Role.OPAQUE),
    # What All-In-One leaves behind depends on the last step of the configuration that was sent.
    *_operations(
        "all_in_one",
        _AIO,
        {"getResult": {}, "getResultTxt": {}, "getManagedResult": _MANAGED_FILE},
    ),
    _start("all_in_one.process", f"{_AIO}/submit", None, _ALL_IN_ONE_BODY),
    _start(
        "all_in_one.process_adhoc",
        f"{_AIO}/{{dmConfigId}}/{{templateId}}/{{jcConfigId}}/{{ocConfigId}}",
        Kind.FILE,
    ),
)

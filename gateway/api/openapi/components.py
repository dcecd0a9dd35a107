"""What the document's endpoints share: parameters, header lines, problems, schemas."""

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from gateway.api.openapi.models import ANSWERS, MOST_JOBS, REQUESTS
from gateway.model import Status
from gateway.problems import PROBLEMS

SCHEMA = "#/components/schemas/{model}"
_TEXT = {"type": "string"}
_NUMBER = {"type": "integer", "format": "int64", "minimum": 0}
_ID_LIST = rf"^[0-9]{{1,19}}(,[0-9]{{1,19}}){{0,{MOST_JOBS - 1}}}$"


def _parameter(
    name: str, where: str, description: str, schema: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    found = {"name": name, "in": where, "description": description, "schema": schema, **more}
    return found | {"required": True} if where == "path" else found


def _header(name: str, description: str, **more: Any) -> dict[str, Any]:
    return _parameter(name, "header", description, _TEXT, **more)


_PARAMETERS = (
    _parameter("id", "path", "The entity's id.", _NUMBER, example=1),
    _parameter("jobId", "path", "The job's id.", _NUMBER, example=1),
    _parameter(
        "operationId",
        "path",
        "The operation's id.",
        {"type": "string", "pattern": "^[A-Za-z0-9._~-]{1,128}$"},
    ),
    _parameter(
        "name",
        "path",
        "The pipeline's name.",
        {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
        example="invoice",
    ),
    _parameter(
        "ids",
        "query",
        f"1 to {MOST_JOBS} job ids, separated by commas.",
        {"type": "string", "pattern": _ID_LIST},
        required=True,
        example="1,2,3",
    ),
    _parameter(
        "filename",
        "query",
        "The data file's name at OL Connect.",
        {"type": "string", "minLength": 1, "maxLength": 255},
        example="data.json",
    ),
    _parameter(
        "status",
        "query",
        "Only operations that stand so.",
        {"type": "string", "enum": [status.value for status in Status]},
    ),
    _parameter(
        "limit",
        "query",
        "How many at most.",
        {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    ),
    _header("OL-Team", "For which of your teams you ask; else the first that may do it."),
    _header("Cache-Control", "no-cache asks OL Connect again.", example="no-cache"),
    _header("If-None-Match", "An ETag you have: 304 if it is still that.", example='"5f1d"'),
    _header("If-Match", "An ETag you read: 412 if it is another by now.", example="*"),
    _header("Idempotency-Key", "Your name for this start: at most 255 characters."),
    _header("Prefer", "wait=N: wait N seconds, at most 120 (RFC 7240).", example="wait=30"),
    _header("Last-Event-ID", "The last event you saw."),
)

PARAMETERS: Mapping[str, dict[str, Any]] = {each["name"]: each for each in _PARAMETERS}

_HEADERS = {
    "ETag": "Of this very content; send it as If-Match or If-None-Match.",
    "Cache-Status": "How the answer was come by (RFC 9211).",
    "Age": "Seconds since OL Connect was asked.",
    "Location": "The operation.",
    "Retry-After": "Seconds after which it is worth asking again.",
    "Link": "self, progress, result and cancel.",
    "operationId": "OL Connect's id of the operation.",
    "Preference-Applied": "The preference that was honoured.",
    "Content-Disposition": "The document's file name.",
}

HEADERS: Mapping[str, Any] = {
    name: {"description": description, "schema": _TEXT} for name, description in _HEADERS.items()
}


def problem_example(code: str) -> dict[str, Any]:
    problem = PROBLEMS[code]
    return {
        "summary": problem.title,
        "value": {
            "type": f"urn:olconnect-gateway:problem:{code}",
            "title": problem.title,
            "status": problem.status,
            "detail": f"{problem.title}.",
            "code": code,
            "request_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        },
    }


def components() -> dict[str, Any]:
    _, answers = models_json_schema(
        [(model, "serialization") for model in ANSWERS], ref_template=SCHEMA
    )
    _, requests = models_json_schema(
        [(model, "validation") for model in REQUESTS], ref_template=SCHEMA
    )
    return {
        "schemas": requests["$defs"] | answers["$defs"],
        "parameters": dict(PARAMETERS),
        "headers": dict(HEADERS),
        "examples": {code: problem_example(code) for code in PROBLEMS},
        "securitySchemes": {
            "token": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "The issuer's access token.",
            }
        },
    }

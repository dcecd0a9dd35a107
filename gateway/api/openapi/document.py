"""Puts the document together: the catalogue's rows, what is said of them, and the components."""

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from gateway import __version__
from gateway.api.openapi.components import components
from gateway.api.openapi.objects import OBJECTS
from gateway.api.openapi.parts import ANY_REQUEST, Answer, Body, Described
from gateway.api.openapi.runs import RUNS
from gateway.catalogue import ENDPOINTS, SIMPLIFIED, Endpoint
from gateway.catalogue.simplified import ENTITIES
from gateway.problems import PROBLEMS

DESCRIBED = {**OBJECTS, **RUNS}

TAGS = {
    "Caller": "Who you are here.",
    "Pipelines": "From a data file to a document in one call.",
    "Creation": "The steps one by one.",
    "Operations": "Whatever takes long.",
    "Jobs": "What is in a job.",
    "Properties and metadata": "Names and values of every entity.",
}

_IN_PATH = re.compile(r"\{(\w+)\}")
_INTRODUCTION = """\
OL Connect as a web developer would like it: JSON in, JSON or the document out, one operation
resource for everything that takes long, one call to wait for the result.

Every refusal is `application/problem+json` (RFC 9457) with a stable `code`. Every answer bears an
`X-Request-Id`; yours is taken over if you send one."""


def document(server_url: str) -> dict[str, Any]:
    """OpenAPI 3.1. ``server_url`` is the gateway's public URL, or ``/``."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in described_endpoints():
        methods = paths.setdefault(endpoint.path, {})
        methods[endpoint.method.lower()] = _operation(endpoint, DESCRIBED[endpoint.name])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "OL Connect gateway",
            "version": __version__,
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server_url}],
        "security": [{"token": []}],
        "tags": [{"name": tag, "description": text} for tag, text in TAGS.items()],
        "paths": paths,
        "components": components(),
    }


def described_endpoints() -> list[Endpoint]:
    """The rows of the simplified face itself, without the pages about it."""
    return [row for row in SIMPLIFIED if row.path.startswith("/api/v1/")]


def _operation(endpoint: Endpoint, described: Described) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name.partition(".")[2],
        "tags": [described.tag],
        "summary": described.summary,
        "description": described.description,
        "parameters": [*_in_path(endpoint), *map(_parameter, (*described.parameters, "OL-Team"))],
        "responses": {
            **{str(answer.status): _answer(answer) for answer in described.answers},
            **_problems((*ANY_REQUEST, *described.problems)),
        },
    }
    if described.body is not None:
        operation["requestBody"] = _body(described.body)
    return operation


def _parameter(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/parameters/{name}"}


def _in_path(endpoint: Endpoint) -> list[dict[str, Any]]:
    names = _IN_PATH.findall(endpoint.path)
    return [_entity(endpoint) if name == "entity" else _parameter(name) for name in names]


def _entity(endpoint: Endpoint) -> dict[str, Any]:
    """Only those entities that have this list at OL Connect."""
    facet = endpoint.path.rpartition("/")[2]
    known = [name for name, (row, _) in ENTITIES.items() if f"{row}.get_{facet}" in ENDPOINTS]
    return {
        "name": "entity",
        "in": "path",
        "required": True,
        "description": "The kind of entity.",
        "schema": {"type": "string", "enum": known},
        "example": "jobs",
    }


def _schema(component: str | None) -> dict[str, Any]:
    return {} if component is None else {"$ref": f"#/components/schemas/{component}"}


def _body(body: Body) -> dict[str, Any]:
    examples = {name: {"value": value} for name, value in body.examples.items()}
    media = {"schema": _schema(body.schema), "examples": examples}
    return {"required": True, "content": dict.fromkeys(body.media_types, media)}


def _answer(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = {"description": answer.description}
    if answer.headers:
        found["headers"] = {
            name: {"$ref": f"#/components/headers/{name}"} for name in answer.headers
        }
    if answer.content:
        found["content"] = {
            media_type: _with_example(_schema(component), answer.example, component)
            for media_type, component in answer.content.items()
        }
    return found


def _with_example(schema: dict[str, Any], example: Any, component: str | None) -> dict[str, Any]:
    if component is None or example is None:
        return {"schema": schema} if schema else {}
    return {"schema": schema, "example": example}


def _problems(codes: Iterable[str]) -> dict[str, Any]:
    """One response per status, with an example of every problem that may be behind it."""
    kinds = sorted(
        (PROBLEMS[code] for code in set(codes)), key=lambda kind: (kind.status, kind.code)
    )
    found = {}
    for status, group in groupby(kinds, key=lambda kind: kind.status):
        same = list(group)
        found[str(status)] = {
            "description": "; ".join(kind.title for kind in same) + ".",
            "content": {
                "application/problem+json": {
                    "schema": _schema("Problem"),
                    "examples": {
                        kind.code: {"$ref": f"#/components/examples/{kind.code}"} for kind in same
                    },
                }
            },
        }
    return found

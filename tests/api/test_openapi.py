"""The OpenAPI document: sound, whole, and given out as it is."""

import json
import re
from typing import Any

import pytest
from click.testing import CliRunner
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.api.openapi.document import DESCRIBED, TAGS, described_endpoints, document
from gateway.catalogue import SIMPLIFIED
from gateway.cli import main
from gateway.problems import PROBLEMS
from tests.support.stage import Stage, TestCaller

DOCUMENT = document("https://print-api.example.com")
OPERATIONS = [
    pytest.param(operation, id=operation["operationId"])
    for methods in DOCUMENT["paths"].values()
    for operation in methods.values()
]


def _examples(node: Any) -> list[tuple[dict[str, Any], Any]]:
    """Every schema with each of its examples."""
    found = []
    if isinstance(node, dict):
        if "schema" in node and "example" in node:
            found.append((node["schema"], node["example"]))
        if "schema" in node and "examples" in node:
            found += [
                (node["schema"], _resolved(each)["value"]) for each in node["examples"].values()
            ]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            found += _examples(child)
    return found


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    target: Any = DOCUMENT
    for step in node["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return dict(target)


def test_it_is_openapi_3_1() -> None:
    errors = [str(error) for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()]
    assert errors == []
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert DOCUMENT["servers"] == [{"url": "https://print-api.example.com"}]
    assert DOCUMENT["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_every_endpoint_of_the_simplified_face_is_described_and_no_other() -> None:
    described = {
        (method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods
    }
    rows = {(row.method, row.path) for row in SIMPLIFIED if row.path.startswith("/api/v1")}
    assert described == rows
    assert set(DESCRIBED) == {row.name for row in described_endpoints()}
    assert {row.tag for row in DESCRIBED.values()} == set(TAGS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_example_fits_its_schema(operation: dict[str, Any]) -> None:
    examples = _examples(operation)
    assert examples
    for schema, example in examples:
        rooted = {**schema, "components": DOCUMENT["components"]}
        errors = [error.message for error in OAS31Validator(rooted).iter_errors(example)]
        assert errors == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_body_and_every_problem_has_an_example(operation: dict[str, Any]) -> None:
    body = operation.get("requestBody", {"content": {}})
    assert all(media["examples"] for media in body["content"].values())
    for status, response in operation["responses"].items():
        if int(status) < 400:
            continue
        examples = response["content"]["application/problem+json"]["examples"]
        assert examples
        assert all(PROBLEMS[code].status == int(status) for code in examples)


def test_every_problem_is_somebodys_and_has_its_type() -> None:
    text = json.dumps(DOCUMENT["paths"])
    for code, example in DOCUMENT["components"]["examples"].items():
        assert example["value"]["type"] == f"urn:olconnect-gateway:problem:{code}"
        # An unknown method has no endpoint under which it could stand.
        is_shown = f'"#/components/examples/{code}"' in text
        assert is_shown != (code == "method_not_allowed"), code


def test_nothing_is_defined_that_is_not_used() -> None:
    text = json.dumps(DOCUMENT)
    for kind in ("schemas", "parameters", "headers"):
        for name in DOCUMENT["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, (kind, name)


def test_entities_are_those_that_have_the_list() -> None:
    for facet, without in (("properties", "documents"), ("metadata", "data-records")):
        operation = DOCUMENT["paths"][f"/api/v1/{{entity}}/{{id}}/{facet}"]["get"]
        known = operation["parameters"][0]["schema"]["enum"]
        assert "jobs" in known
        assert without not in known


async def test_it_is_given_out_without_a_token(stage: Stage) -> None:
    visitor = TestCaller(stage, None)
    plain = {"Accept-Encoding": "identity"}
    reply = await visitor.get("/openapi.json", headers=plain)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    assert reply.json() == json.loads(json.dumps(document("http://gateway.test")))
    known = {"If-None-Match": reply.headers["ETag"]}
    again = await visitor.get("/openapi.json", headers=plain | known)
    assert (again.status, again.body) == (304, b"")


def test_the_command_prints_it() -> None:
    result = CliRunner().invoke(main, ["openapi"])
    assert result.exit_code == 0
    assert json.loads(result.output)["servers"] == [{"url": "/"}]


def test_the_command_takes_the_public_url_of_a_configuration(tmp_path: Any) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text(_CONFIG)
    result = CliRunner().invoke(main, ["openapi", "--config", str(config)])
    assert result.exit_code == 0
    assert json.loads(result.output)["servers"] == [{"url": "https://api.example.com"}]


def test_the_text_names_no_other_host() -> None:
    hosts = set(re.findall(r"https?://([a-z0-9.-]+)", json.dumps(DOCUMENT)))
    assert hosts <= {"print-api.example.com", "id.example.com"}


_CONFIG = """
version: 1
public_url: https://api.example.com
upstream: {url: "http://127.0.0.1:9340"}
issuers: {corporate: {issuer: "https://id.example.com", audiences: [olconnect]}}
credentials: {printing: {kind: basic, username: svc, password: {value: pw}}}
teams:
  billing:
    members: {issuer: corporate, claim: groups, any_of: [ol-billing]}
    credential: printing
"""

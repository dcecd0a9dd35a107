"""The JSON Schema, and the two configurations that are shipped."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.catalogue import ENDPOINTS
from gateway.settings import load, schema
from gateway.settings.reader import read

CONFIG = Path(__file__).parents[2] / "config"
SCHEMA = schema()


def complaints(value: Any, rule: dict[str, Any], place: str = "$") -> list[str]:
    """What JSON Schema says about a value, for the keywords that ours uses and no others."""
    found: list[str] = []
    for keyword, argument in rule.items():
        if not KEYWORDS[keyword](value, argument, rule):
            found.append(f"{place}: {keyword}")
    if "$ref" in rule:
        found += complaints(value, SCHEMA["$defs"][rule["$ref"].rpartition("/")[2]], place)
    if isinstance(value, dict):
        for key, each in value.items():
            for inner in rules_for(key, rule):
                found += complaints(each, inner, f"{place}.{key}")
    if isinstance(value, list) and "items" in rule:
        for each in value:
            found += complaints(each, rule["items"], f"{place}[]")
    return found


def rules_for(key: str, rule: dict[str, Any]) -> list[dict[str, Any]]:
    patterns = rule.get("patternProperties", {})
    found = [inner for pattern, inner in patterns.items() if re.search(pattern, key)]
    if key in rule.get("properties", {}):
        found.append(rule["properties"][key])
    if not found and isinstance(rule.get("additionalProperties"), dict):
        found.append(rule["additionalProperties"])
    return found


def is_of_type(value: Any, names: str | list[str], _: Any) -> bool:
    wanted: dict[str, type] = {
        "object": dict,
        "array": list,
        "string": str,
        "null": type(None),
        "boolean": bool,
    }
    for name in [names] if isinstance(names, str) else names:
        if name in wanted and isinstance(value, wanted[name]):
            return True
        if name == "number" and is_number(value):
            return True
        if name == "integer" and is_number(value) and isinstance(value, int):
            return True
    return False


def only_known(value: Any, allowed: Any, rule: dict[str, Any]) -> bool:
    if allowed is not False or not isinstance(value, dict):
        return True
    return all(rules_for(key, rule) for key in value)


def always(value: Any, argument: Any, rule: dict[str, Any]) -> bool:
    return True


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


KEYWORDS: dict[str, Any] = {
    **dict.fromkeys(
        ("$schema", "$defs", "$ref", "title", "description", "default", "items"), always
    ),
    **dict.fromkeys(("properties", "patternProperties"), always),
    "type": is_of_type,
    "additionalProperties": only_known,
    "const": lambda value, argument, _: value == argument,
    "enum": lambda value, argument, _: value in argument,
    "pattern": lambda value, argument, _: not isinstance(value, str) or re.search(argument, value),
    "required": lambda value, names, _: not isinstance(value, dict) or set(names) <= set(value),
    "minLength": lambda value, least, _: not isinstance(value, str) or len(value) >= least,
    "maxLength": lambda value, most, _: not isinstance(value, str) or len(value) <= most,
    "minItems": lambda value, least, _: not isinstance(value, list) or len(value) >= least,
    "minProperties": lambda value, least, _: not isinstance(value, dict) or len(value) >= least,
    "minimum": lambda value, least, _: not is_number(value) or value >= least,
    "maximum": lambda value, most, _: not is_number(value) or value <= most,
    "exclusiveMinimum": lambda value, least, _: not is_number(value) or value > least,
    "anyOf": lambda value, rules, _: any(not complaints(value, rule) for rule in rules),
    "oneOf": lambda value, rules, _: sum(not complaints(value, rule) for rule in rules) == 1,
}


def shipped(name: str) -> bytes:
    return (CONFIG / name).read_bytes()


def test_the_shipped_schema_is_the_generated_one() -> None:
    assert json.loads(shipped("gateway.schema.json")) == SCHEMA


@pytest.mark.parametrize("name", ["gateway.yaml", "demo.yaml"])
def test_shipped_configurations_name_the_schema_and_fit_it(name: str) -> None:
    content = shipped(name)
    assert content.startswith(b"# yaml-language-server: $schema=gateway.schema.json\n")
    assert complaints(read(content).value, SCHEMA) == []


def test_the_production_example_loads(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.write_text("from file\n")
    config = tmp_path / "gateway.yaml"
    # As a JSON text, because a path on Windows has backslashes.
    path = json.dumps(str(archive)).encode()
    config.write_bytes(
        shipped("gateway.yaml").replace(b"file: /run/secrets/archive", b"file: " + path)
    )
    settings = load(config, known_endpoints=ENDPOINTS, environ={"OL_PRINT_PASSWORD": "from env"})
    assert list(settings.teams) == ["billing", "archive"]
    assert settings.credentials["printing"].password.reveal() == "from env"
    assert settings.credentials["archive"].password.reveal() == "from file"


def test_the_demo_configuration_loads_and_needs_nothing() -> None:
    settings = load(CONFIG / "demo.yaml", known_endpoints=ENDPOINTS, environ={})
    assert settings.issuers["demo"].issuer == "http://127.0.0.1:9400"
    assert settings.upstream.url == "http://127.0.0.1:9340"
    assert settings.store.kind == "memory"
    assert {name: team.pipelines for name, team in settings.teams.items()} == {
        "billing": ("invoice",),
        "marketing": ("flyer",),
    }


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("listen", "max_body"), 1024),
        (("listen", "drain_timeout"), "30"),
        (("listen", "workers"), 0),
        (("listen", "address"), "8080"),
        (("credentials", "svc-print", "password"), "text"),
        (("credentials", "svc-print", "password"), {"env": "A", "file": "b"}),
        (("issuers", "demo", "algorithms"), ["HS256"]),
        (("issuers", "demo", "jwks"), {"uri": "https://h"}),
        (("teams", "Billing"), {}),
        (("teams", "billing", "allow"), [{"endpoints": []}]),
        (("store",), "mysql:"),
        (("version",), 2),
        (("unknown",), 1),
    ],
)
def test_the_schema_refuses_what_the_gateway_refuses(path: tuple[str, ...], value: Any) -> None:
    document = read(shipped("demo.yaml")).value
    at = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    assert complaints(document, SCHEMA)


def test_defaults_in_the_schema_are_as_they_are_written() -> None:
    definitions = SCHEMA["$defs"]
    defaults = {
        name: rule["default"]
        for name, rule in definitions["Listen"]["properties"].items()
        if name != "cors"
    }
    assert defaults == {
        "address": "0.0.0.0:8080",
        "workers": 1,
        "trusted_proxies": [],
        "max_connections_per_client": 10000,
        "max_body": "2GiB",
        "max_header": "32KiB",
        "drain_timeout": "30s",
        "express": True,
    }
    assert SCHEMA["properties"]["store"]["default"] == "sqlite:state/olgw.db"


def test_every_setting_is_described() -> None:
    for name, definition in [*SCHEMA["$defs"].items(), ("Settings", SCHEMA)]:
        assert definition["description"], name
        for key, rule in definition["properties"].items():
            described = rule.get("description") or "$ref" in rule
            assert described, f"{name}.{key}"

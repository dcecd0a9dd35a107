"""A small valid configuration, and ways to load it with something changed."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import InvalidSettings, Settings, load

VALID: dict[str, Any] = {
    "version": 1,
    "public_url": "https://print-api.example.com",
    "upstream": {"url": "http://127.0.0.1:9340"},
    "issuers": {
        "corporate": {"issuer": "https://id.example.com/realms/corp", "audiences": ["olconnect"]}
    },
    "credentials": {
        "printing": {"kind": "basic", "username": "svc", "password": {"value": "hunter2"}}
    },
    "teams": {
        "billing": {
            "members": {"issuer": "corporate", "claim": "groups", "any_of": ["ol-billing"]},
            "credential": "printing",
            "allow": [{"endpoints": ["job_creation.*"]}],
            "pipelines": ["invoice"],
        }
    },
    "pipelines": {"invoice": {"data_mapping": "a", "template": "b", "output_preset": "c"}},
}
ENDPOINTS = ("job_creation.process", "job_entity.get_metadata")

Change = tuple[tuple[str | int, ...], Any]
LoadWith = Callable[..., Settings]


def changed(changes: tuple[Change, ...]) -> dict[str, Any]:
    """A copy of VALID with values put at paths; mappings on the way are made as needed."""
    document = copy.deepcopy(VALID)
    for path, value in changes:
        at: Any = document
        for step in path[:-1]:
            at = at.setdefault(step, {}) if isinstance(at, dict) else at[step]
        at[path[-1]] = value
    return document


@pytest.fixture
def valid() -> dict[str, Any]:
    return copy.deepcopy(VALID)


@pytest.fixture
def load_with(tmp_path: Path) -> LoadWith:
    def load_changed(*changes: Change, environ: dict[str, str] | None = None) -> Settings:
        file = tmp_path / "gateway.yaml"
        # JSON is YAML 1.2, and indent keeps every key on a line of its own.
        file.write_text(json.dumps(changed(changes), indent=1), encoding="utf-8")
        return load(file, known_endpoints=ENDPOINTS, environ=environ or {})

    return load_changed


@pytest.fixture
def load_text(tmp_path: Path) -> Callable[[str | bytes], Settings]:
    def load_content(content: str | bytes) -> Settings:
        file = tmp_path / "gateway.yaml"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load(file, known_endpoints=ENDPOINTS, environ={})

    return load_content


@pytest.fixture
def mistakes_with(load_with: LoadWith) -> Callable[..., list[str]]:
    """Each mistake as ``path: message``."""

    def mistakes(*changes: Change) -> list[str]:
        with pytest.raises(InvalidSettings) as caught:
            load_with(*changes)
        return [f"{mistake.path}: {mistake.message}" for mistake in caught.value.mistakes]

    return mistakes


def places_in(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    entries = value.items() if isinstance(value, dict) else []
    items = enumerate(value) if isinstance(value, list) else []
    inner = [found for key, each in [*entries, *items] for found in places_in(each, (*place, key))]
    return [place, *inner] if place else inner


@pytest.fixture(scope="session")
def valid_places() -> list[tuple[Any, ...]]:
    return places_in(VALID)


@pytest.fixture(scope="session")
def replaced() -> Callable[[tuple[Any, ...], Any], bytes]:
    def replace(place: tuple[Any, ...], value: Any) -> bytes:
        return json.dumps(changed(((place, value),))).encode()

    return replace

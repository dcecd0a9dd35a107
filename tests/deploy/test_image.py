"""The Dockerfile and its requirement files, as far as they can be judged without Docker."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = {
    "requirements.txt": ("runtime", "redis", "fast"),
    "requirements-build.txt": ("build",),
}


def wanted(root: Path, parts: tuple[str, ...]) -> list[Requirement]:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    known = {
        "runtime": project["project"]["dependencies"],
        "build": project["build-system"]["requires"],
        **project["project"]["optional-dependencies"],
    }
    return [Requirement(text) for part in parts for text in known[part]]


def locked(path: Path) -> dict[str, str]:
    """Every locked package with its version; fails where a hash is missing."""
    text = path.read_text(encoding="utf-8")
    lines = re.sub(r"#.*", "", text).replace("\\\n", " ").splitlines()
    found: dict[str, str] = {}
    for line in filter(None, map(str.strip, lines)):
        assert re.search(r" --hash=sha256:[0-9a-f]{64}( |$)", line), line
        pinned = Requirement(line.split(" --hash", 1)[0])
        (specifier,) = pinned.specifier
        assert specifier.operator == "=="
        found[canonicalize_name(pinned.name)] = specifier.version
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_satisfies_the_project(root: Path, deploy: Path, name: str) -> None:
    pins = locked(deploy / name)
    for requirement in wanted(root, LOCKS[name]):
        version = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_names_no_address(deploy: Path, name: str) -> None:
    text = (deploy / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE), "an option such as --index-url"


@pytest.fixture
def stages(root: Path) -> list[list[tuple[str, str]]]:
    """The instructions of each stage, as (instruction, arguments)."""
    text = (root / "Dockerfile").read_text(encoding="utf-8")
    joined = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    parts = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    found: list[list[tuple[str, str]]] = []
    for instruction, arguments in parts:
        if instruction == "FROM":
            found.append([])
        found[-1].append((instruction, " ".join(arguments.split())))
    return found


def _one(stage: list[tuple[str, str]], instruction: str) -> str:
    (arguments,) = [text for name, text in stage if name == instruction]
    return arguments


def test_both_stages_have_the_same_base(stages: list[list[tuple[str, str]]]) -> None:
    build, final = stages
    base = _one(final, "FROM")
    assert _one(build, "FROM") == f"{base} AS build"
    assert not base.endswith("latest")
    assert ":" in base


def test_packages_are_installed_by_hash_only(stages: list[list[tuple[str, str]]]) -> None:
    commands = [text for stage in stages for name, text in stage if name == "RUN"]
    installs = [part for text in commands for part in text.split("&&") if "pip install" in part]
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install
        assert "--no-deps" in install


def test_it_runs_as_nobody_in_particular(stages: list[list[tuple[str, str]]]) -> None:
    final = stages[-1]
    names = [name for name, _ in final]
    assert _one(final, "USER") == "10001:10001"
    assert "RUN" not in names[names.index("USER") :]
    assert "ADD" not in names
    assert _one(final, "VOLUME") == _one(final, "WORKDIR") == "/var/lib/olgw"


def test_what_starts_stops_and_is_asked_for_its_health(
    stages: list[list[tuple[str, str]]],
) -> None:
    final = stages[-1]
    assert json.loads(_one(final, "ENTRYPOINT")) == ["olgw"]
    serve, *options = json.loads(_one(final, "CMD"))
    assert serve == "serve"
    assert options == ["--config", "/etc/olgw/gateway.yaml", "--insecure-admin-address"]
    assert json.loads(_one(final, "HEALTHCHECK").split("CMD", 1)[1]) == ["olgw", "health"]
    assert _one(final, "STOPSIGNAL") == "SIGTERM"


def test_the_build_gets_what_it_copies_and_nothing_else(
    root: Path, stages: list[list[tuple[str, str]]]
) -> None:
    copies = [text.split()[:-1] for name, text in stages[0] if name == "COPY"]
    copied = {path for paths in copies for path in paths}
    lines = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert all((root / path).exists() for path in copied)

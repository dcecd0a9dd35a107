"""What docs/running.md tells people to write down is what the artefacts have."""

import re
from pathlib import Path

import pytest

from gateway.catalogue import ENDPOINTS
from gateway.settings import Sources, parse


@pytest.fixture
def text(root: Path) -> str:
    return (root / "docs/running.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def directives(nginx: str) -> list[str]:
    """The lines that nginx would see."""
    lines = (re.sub(r"#.*", "", line).strip() for line in nginx.splitlines())
    return [re.sub(r"\s+", " ", line) for line in lines if line]


def test_the_first_configuration_is_a_good_one(text: str, tmp_path: Path) -> None:
    (first,) = (block for block in blocks(text, "yaml") if block.startswith("version: 1"))
    sources = Sources(tmp_path, {"OL_PRINT_PASSWORD": "a password"})
    path = tmp_path / "gateway.yaml"
    settings = parse(first.encode(), path, sources, known_endpoints=ENDPOINTS)
    assert list(settings.teams) == ["billing"]


def test_the_snippet_for_nginx_is_the_tested_file(text: str, deploy: Path) -> None:
    shown = directives(blocks(text, "nginx")[1])
    assert shown == directives((deploy / "nginx/olgw-proxy.conf").read_text(encoding="utf-8"))


def test_every_file_that_is_named_is_there(text: str, deploy: Path, root: Path) -> None:
    named = set(re.findall(r"deploy/[a-z0-9_./-]*[a-z0-9_/]", text))
    assert len(named) > 8
    assert [name for name in named if not (root / name).exists()] == []


def test_every_folder_of_deploy_is_explained(text: str, deploy: Path) -> None:
    table = text[text.index("## What each file is") :]
    names = {path.name for path in deploy.iterdir()}
    assert [name for name in names if name not in table] == []


def test_no_artefact_names_a_place_of_its_maker(deploy: Path, root: Path) -> None:
    files = [path for path in deploy.rglob("*") if path.is_file()]
    files += [root / "Dockerfile", root / ".dockerignore", root / "docs/running.md"]
    pattern = re.compile(r"/(work|root|home)/|pypi|docker\.io|ghcr\.io|quay\.io")
    named = [path.name for path in files if pattern.search(path.read_text(encoding="utf-8"))]
    assert named == []

"""The documents against the code: what is not held to it goes stale."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")])


def test_the_reference_is_what_the_code_says() -> None:
    made = subprocess.run(
        [sys.executable, "docs/make_reference.py"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        check=True,
        timeout=50,
    )
    written = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    assert written == made.stdout.decode(), "run: python docs/make_reference.py > docs/reference.md"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)", text):
        found = (document.parent / target).resolve()
        assert found.exists(), f"{document.name} links to {target}, which is not there"
        if anchor and found.suffix == ".md":
            assert anchor[1:] in _anchors(found), f"{document.name} links to {target}{anchor}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_within_a_document_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for anchor in re.findall(r"\]\(#([^)\s]+)\)", text):
        assert anchor in _anchors(document), f"{document.name} has no heading for #{anchor}"


def _anchors(document: Path) -> set[str]:
    """Headings as GitHub makes anchors of them, and anchors written out."""
    text = document.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ +(.+?) *$", prose, flags=re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


def test_every_module_named_in_the_architecture_exists() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    for name in re.findall(r"`(gateway/[a-z_/]+(?:\.py|/))`", text):
        assert (ROOT / name).exists(), f"architecture.md names {name}"


def test_every_control_in_the_threat_model_exists_and_so_does_its_test() -> None:
    text = (ROOT / "docs/threat-model.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \|.*\| ([^|]+) \|$", text, flags=re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 33))
    for number, tests in rows:
        named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", tests)
        assert named, f"abuse case {number} names no test"
        for file, function in named:
            code = (ROOT / "tests" / file).read_text(encoding="utf-8")
            assert re.search(rf"def {function}\(", code), f"{file} has no {function}"
    for name in re.findall(r"`(gateway/[a-z_/]+(?:\.py|/))`", text):
        assert (ROOT / name).exists(), f"threat-model.md names {name}"

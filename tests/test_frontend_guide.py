"""Every marked example of docs/frontend.md, run as it stands: ``<!-- runs: what it prints -->``."""

import asyncio
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.stage import Stage

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "frontend.md"
MARKED = re.compile(r"^<!-- runs: (.+?) -->\n```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PRELUDE = {
    "js": "const [gateway, token, dataSet] = process.argv.slice(2);\n",
    "python": "import sys\ngateway, token, dataSet = sys.argv[1:]\n",
}


@dataclass(frozen=True)
class Example:
    expected: str  # a regular expression for all that it prints
    language: str
    code: str


EXAMPLES = [Example(*found) for found in MARKED.findall(GUIDE.read_text(encoding="utf-8"))]


def _program(example: Example, folder: Path) -> list[str]:
    node = shutil.which("node")
    if example.language == "js" and node is None:
        pytest.skip("node is not installed: the JavaScript of the guide is not run")
    command, ending = (node, "mjs") if example.language == "js" else (sys.executable, "py")
    file = folder / f"example.{ending}"
    file.write_text(PRELUDE[example.language] + example.code, encoding="utf-8")
    return [str(command), str(file)]


def test_both_languages_have_examples_of_everything() -> None:
    languages = [example.language for example in EXAMPLES]
    assert languages == ["js", "python"] * 5
    text = GUIDE.read_text(encoding="utf-8")
    assert len(re.findall(r"^```(?:js|python)$", text, re.MULTILINE)) == len(EXAMPLES)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
async def test_an_example_prints_what_it_promises(
    stage: Stage, tmp_path: Path, number: int
) -> None:
    example = EXAMPLES[number]
    program = _program(example, tmp_path)
    data_set = await stage.caller().data_set()
    process = await asyncio.create_subprocess_exec(
        *program,
        stage.url,
        stage.token(),
        data_set,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        printed, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    assert re.fullmatch(example.expected, " ".join(printed.decode().split()))

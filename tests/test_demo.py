"""What the demo prints works as it stands there."""

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import demo
from gateway.demo import Demo
from gateway.greeting import Places, greeting
from tests.support.ports import free_port


def _greeting(running: Demo, *, powershell: bool = False) -> str:
    simulator, issuer = running.simulator.url, running.issuer.url
    places = Places(running.settings.public_url, "http://127.0.0.1:9090", simulator, issuer)
    return greeting(places, running.tokens(), powershell=powershell)


async def _run(script: str, folder: Path) -> str:
    shell = await asyncio.create_subprocess_exec(
        *("sh", "-eu", "-c", script), cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await shell.communicate()
    assert shell.returncode == 0
    return output.decode()


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("sh"), reason="needs sh and curl")
async def test_the_printed_commands_work(tmp_path: Path) -> None:
    async with demo.running(free_port(), free_port()) as running:
        running.simulator.options = replace(running.simulator.options, operation_seconds=0.1)
        blocks = _greeting(running).split("\n\n")
        tokens, *commands = (block for block in blocks if block.startswith(("export", "curl")))
        printed = [await _run(f"{tokens}\n{command}", tmp_path) for command in commands]
    assert (tmp_path / "invoice.pdf").read_bytes().startswith(b"%PDF")
    invoice, mine, others, uploaded = printed
    assert invoice == ""
    assert [one["status"] for one in json.loads(mine)["operations"]] == ["succeeded"]
    assert json.loads(others)["operations"] == []
    assert uploaded.isdecimal()


async def test_windows_is_told_what_its_own_shell_can_do() -> None:
    async with demo.running(free_port(), free_port()) as running:
        said = _greeting(running, powershell=True)
    assert "$BILLING = 'ey" in said
    assert said.count("Invoke-") == 4
    assert "curl" not in said
    assert "export" not in said

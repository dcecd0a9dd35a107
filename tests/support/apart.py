"""A stage whose gateway is a process of its own, so that what it takes can be measured."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.faulty import FaultyStage
from tests.support.stage import Stage

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_SECONDS = 30.0


class Serving:
    """``olgw serve``; what it says is in ``log``, its errors too."""

    def __init__(self, config: Path, environ: Mapping[str, str] | None = None) -> None:
        self.config = config
        self.log = config.with_suffix(".log")
        self._environ = os.environ | {"PYTHONWARNINGS": "error"} | dict(environ or {})
        self._process: asyncio.subprocess.Process
        self.public = self.admin = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    async def start(self) -> None:
        """Returns when it listens; ``public`` and ``admin`` are its ports."""
        arguments = ("-m", "gateway", "serve", "--config", str(self.config))
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, stdout=log, stderr=log, cwd=ROOT, env=self._environ
            )
        (line,) = await self.logged("listening")
        self.public, self.admin = (
            int(line[which].rpartition(":")[2]) for which in ("public", "admin")
        )

    async def logged(self, event: str, times: int = 1) -> list[dict[str, Any]]:
        """The lines of an event, when there are so many."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while len(lines := self._lines(event)) < times:
                assert self._process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.02)
        return lines

    def _lines(self, event: str) -> list[dict[str, Any]]:
        marked = f'"event":"{event}"'
        # A line without its end is still being written.
        lines = self.log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if marked in line and line.endswith("\n")]

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


@dataclass
class Apart(Stage):
    """``folder`` is for its configuration, its log and its store."""

    folder: Path = field(default_factory=Path)

    async def _open_gateway(self) -> None:
        config = self.folder / "gateway.yaml"
        config.touch(mode=0o600)  # it holds passwords
        config.write_text(self.text())
        self.serving = Serving(config)
        self._stack.push_async_callback(self.serving.kill)
        await self.serving.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.serving.public}"

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self.serving.admin}"


@dataclass
class FaultyApart(Apart, FaultyStage):
    """With fault proxies. Needs Redis: its store can be looked into past the gateway."""

    @property
    def store_url(self) -> str:
        """The store's, past the proxy."""
        return f"redis://127.0.0.1:{self.redis_port}/0"

"""``olgw health``, as the image's HEALTHCHECK calls it."""

import asyncio
import os
import sys

from tests.support.stage import Stage


async def _health(url: str, **environ: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "health", "--admin", url),
        env={**os.environ, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_a_ready_gateway_is_healthy_whatever_proxy_the_environment_names(
    stage: Stage,
) -> None:
    await stage.caller().get("/entity/jobsets")  # the issuer's keys are at hand
    environ = {"http_proxy": "http://127.0.0.1:1", "no_proxy": ""}
    code, said = await _health(stage.admin_url, **environ)
    while "timed out" in said:  # three seconds are long, but this machine may stand still
        code, said = await _health(stage.admin_url, **environ)
    assert (code, said.splitlines()[-1]) == (0, "ready")


async def test_no_gateway_is_not_healthy() -> None:
    code, said = await _health("http://127.0.0.1:1")
    assert code == 1
    assert said.startswith("not ready: ")

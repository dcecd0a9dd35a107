"""Stages with fault proxies, and a real redis-server."""

import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.simulator.options import Options
from tests.support.faulty import FaultyStage, recovers
from tests.support.stage import USERS


@pytest.fixture
async def faulty() -> AsyncIterator[FaultyStage]:
    options = Options(users=USERS, operation_seconds=0.02)
    async with FaultyStage(options=options) as stage:
        yield stage


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed: faults on the way to it are not tested")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    folder: Path = tmp_path_factory.mktemp("redis")
    process = subprocess.Popen([*command, "--dir", str(folder)], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not _listens(port):
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.01)
        yield port
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
async def sharing(redis_port: int) -> AsyncIterator[FaultyStage]:
    """With Redis as its store."""
    with socket.create_connection(("127.0.0.1", redis_port)) as connection:
        connection.sendall(b"FLUSHALL\r\n")
        assert connection.recv(64) == b"+OK\r\n"
    options = Options(users=USERS, operation_seconds=0.02)
    async with FaultyStage(options=options, redis_port=redis_port) as stage:
        caller = stage.caller("ol-operators")
        await recovers(lambda: caller.get("/entity/datasets"))
        yield stage

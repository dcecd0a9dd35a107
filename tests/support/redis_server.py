"""A real redis-server, for tests that fill, empty, stop and restart it."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ports import free_port

PROGRAM = shutil.which("redis-server")
_PATIENCE_SECONDS = 30.0


class RedisServer:
    """One without persistence, on a port of its own that it keeps when restarted."""

    def __init__(self, directory: Path) -> None:
        assert PROGRAM is not None
        self.port = free_port()
        self._command = [PROGRAM, "--bind", "127.0.0.1", "--port", str(self.port)]
        self._command += ["--save", "", "--appendonly", "no", "--dir", str(directory)]
        self.restart()

    @property
    def url(self) -> str:
        return self.database(0)

    def database(self, number: int) -> str:
        return f"redis://127.0.0.1:{self.port}/{number}"

    def restart(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._answers():
            assert self.process.poll() is None, "redis-server ended at its start"
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.01)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """It keeps its connections, and says nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def flush(self) -> None:
        assert self.say(b"FLUSHALL") == b"+OK\r\n"

    def say(self, command: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), _PATIENCE_SECONDS) as connection:
            connection.sendall(command + b"\r\n")
            return connection.recv(65536)

    def _answers(self) -> bool:
        try:
            return self.say(b"PING") == b"+PONG\r\n"
        except OSError:
            return False


def running(directory: Path) -> Iterator[RedisServer]:
    """For fixtures; skips where there is none to run."""
    if PROGRAM is None:
        pytest.skip("redis-server is not installed: what needs it is not tested")
    server = RedisServer(directory)
    try:
        yield server
    finally:
        server.stop()

"""A thousand listeners on ten operations: what they cost, and when they learn of the end."""

import asyncio
import gc
import os
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.stage import Stage, TestCaller

LISTENERS, OPERATIONS = 1000, 10
SECONDS = 12.0
MOST_BYTES = 64 * 1024


def _resident_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _connect(port: int, token: str, ids: Sequence[str]) -> list[socket.socket]:
    """Bare sockets, so that what is measured is the gateway's share."""
    listeners = []
    for number in range(LISTENERS):
        id_ = ids[number % len(ids)]
        listener = socket.create_connection(("127.0.0.1", port))
        head = f"GET /api/v1/operations/{id_}/events HTTP/1.1\r\nHost: gateway\r\n"
        listener.sendall(f"{head}Authorization: Bearer {token}\r\n\r\n".encode())
        assert _starts(listener)
        listeners.append(listener)
    return listeners


def _starts(listener: socket.socket) -> bool:
    received = b""
    while b"event: progress" not in received:
        piece = listener.recv(65536)
        if not piece:
            return False
        received += piece
    return received.startswith(b"HTTP/1.1 200")


def _ends(listeners: Sequence[socket.socket]) -> list[float]:
    """When each listener heard of the end."""
    heard: dict[int, float] = {}
    tails: dict[int, bytes] = {}
    with selectors.DefaultSelector() as selector:
        for listener in listeners:
            selector.register(listener, selectors.EVENT_READ)
        while len(heard) < len(listeners):
            ready = selector.select(timeout=30)
            assert ready, f"{len(listeners) - len(heard)} listeners never heard of the end"
            for key, _ in ready:
                tail = tails.get(key.fd, b"")[-40:] + os.read(key.fd, 65536)
                tails[key.fd] = tail
                if b"event: succeeded" in tail:
                    heard[key.fd] = time.time()
                    selector.unregister(key.fileobj)
    return [heard[listener.fileno()] for listener in listeners]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
async def test_a_thousand_listeners(stage: Stage, caller: TestCaller) -> None:
    stage.simulator.options = replace(stage.simulator.options, operation_seconds=SECONDS)
    ids = []
    for _ in range(OPERATIONS):
        reply = await caller.post("/api/v1/pipelines/invoice", data=b'[{"Name":"Jane"}]')
        ids.append(reply.json()["id"])
    port, token = stage.gateway.public.port, caller.token or ""
    before = _resident_bytes()
    listeners = await asyncio.to_thread(_connect, port, token, ids)
    each = (_resident_bytes() - before) / LISTENERS
    heard = await asyncio.to_thread(_ends, listeners)
    for listener in listeners:
        listener.close()
    assert each < MOST_BYTES, f"{each:.0f} bytes per listener"
    for id_ in ids:
        polls = [entry.time for entry in stage.requests(f"getProgress/{id_}")]
        assert all(later - earlier > 0.15 for earlier, later in pairwise(polls))
        # Listener n listens to operation n modulo ten.
        delay = max(heard[ids.index(id_) :: OPERATIONS]) - polls[-1]
        assert delay < 1.0, f"the end was heard {delay:.3f} s after the poll that saw it"
    assert len(stage.requests("getManagedResult")) == OPERATIONS
    print(f"{each:.0f} bytes per listener")

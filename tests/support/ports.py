"""Ports for what is started in another process, or stopped and started again.

The system gives those of its ephemeral range away, to whoever listens on port 0 and to each
connection that goes out: one that was free a moment ago may be a stranger's now. These lie below
it, and each worker of the tests has a part of its own.
"""

import os
import socket
from itertools import count

_FIRST = 12_000
_OF_ONE_WORKER = 2_000
_WORKERS = 10

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
_numbers = count(os.getpid())


def free_port() -> int:
    """One on which nothing listens; nobody is given the same one again soon."""
    for _ in range(_OF_ONE_WORKER):
        port = _FIRST + _worker * _OF_ONE_WORKER + next(_numbers) % _OF_ONE_WORKER
        with socket.socket() as probe:
            if os.name != "nt":  # there it would let the port be shared
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no port is free")

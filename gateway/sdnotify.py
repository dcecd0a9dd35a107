"""Telling systemd how the service fares, in the words of sd_notify(3)."""

import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress

READY = "READY=1"
RELOADING = "RELOADING=1"
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"


def notify(state: str, environ: Mapping[str, str] = os.environ) -> None:
    """Does nothing where no service manager listens; never fails, never waits."""
    address = environ.get("NOTIFY_SOCKET", "")
    if sys.platform == "win32" or not address:
        return
    # unix(7): a leading null byte marks the abstract namespace; systemd writes it as @.
    target = "\0" + address[1:] if address.startswith("@") else address
    # A service that runs must not end because nobody takes note of it.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.setblocking(False)
        channel.sendto(state.encode(), target)

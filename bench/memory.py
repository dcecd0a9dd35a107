"""How much the gateway's memory grows while one large body passes, up and then down.

The simulator runs here, the gateway in a process of its own, whose resident set is read from
/proc before and while the bodies pass. Prints one line for each direction; Linux only.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from socket import socket

import aiohttp

from gateway.simulator.issuer import Client, DemoIssuer
from gateway.simulator.options import Options, User
from gateway.simulator.server import Simulator
from gateway.tasks import TaskSet

CONFIG = """
version: 1
public_url: http://127.0.0.1:{port}
listen: {{address: "127.0.0.1:{port}"}}
admin: {{address: "127.0.0.1:0"}}
upstream: {{url: "{upstream}"}}
store: "memory:"
log: {{requests: none}}
issuers: {{demo: {{issuer: "{issuer}", audiences: [olconnect]}}}}
credentials: {{account: {{kind: basic, username: svc, password: {{value: pw}}}}}}
teams:
  bench:
    members: {{issuer: demo, claim: groups, any_of: [bench]}}
    credential: account
    objects: any
    allow: [{{endpoints: ["*.*"]}}]
"""
MIB = 1024 * 1024
_SAMPLE_SECONDS = 0.05


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def grown_bytes(pid: int, work: Coroutine[None, None, None]) -> int:
    """By how much the largest resident set seen exceeds the one before ``work``."""
    before = largest = resident_bytes(pid)
    task = TaskSet().start(work)
    while not task.done():
        largest = max(largest, resident_bytes(pid))
        await asyncio.wait([task], timeout=_SAMPLE_SECONDS)
    await task
    return largest - before


async def zeros(size: int) -> AsyncIterator[bytes]:
    piece = bytes(MIB)
    for _ in range(size // MIB):
        yield piece


async def upload(session: aiohttp.ClientSession, url: str, size: int) -> None:
    target = f"{url}/filestore/DataFile?filename=zeros.bin"
    async with session.post(target, data=zeros(size)) as response:
        response.raise_for_status()


async def download(session: aiohttp.ClientSession, url: str, number: int, size: int) -> None:
    received = 0
    async with session.get(f"{url}/filestore/file/{number}") as response:
        response.raise_for_status()
        async for chunk in response.content.iter_any():
            received += len(chunk)
    if received != size:
        raise SystemExit(f"{received} of {size} bytes came down")


def free_port() -> int:
    with socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


async def until_listening(session: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                async with session.get(f"{url}/entity/version") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.1)


async def measure(size: int) -> None:
    users = {"svc": User("pw")}
    simulator = Simulator(Options(users=users, keep_upload_bytes=0))
    issuer = DemoIssuer({"bench": Client("secret")})
    await simulator.start()
    await issuer.start()
    port = free_port()
    text = CONFIG.format(port=port, upstream=simulator.url, issuer=issuer.url)
    headers = {"Authorization": f"Bearer {issuer.mint(groups=['bench'])}"}
    url = f"http://127.0.0.1:{port}/rest/serverengine"
    timeout = aiohttp.ClientTimeout(total=None)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "gateway.yaml"
        config.touch(mode=0o600)  # a password stands in it
        config.write_text(text)
        command = [sys.executable, "-m", "gateway", "serve", "--config", str(config)]
        gateway = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: ASYNC220
        try:
            async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
                await until_listening(session, url)
                number = simulator.engine.add_zero_file("download.bin", size).id
                up = await grown_bytes(gateway.pid, upload(session, url, size))
                down = await grown_bytes(gateway.pid, download(session, url, number, size))
        finally:
            gateway.terminate()
            gateway.wait(20)
            await simulator.stop()
            await issuer.stop()
    for direction, grown in (("up", up), ("down", down)):
        print(f"{size // MIB} MiB {direction}: resident set grew by {grown / MIB:.1f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024, help="size of each body")
    asyncio.run(measure(parser.parse_args().mib * MIB))


if __name__ == "__main__":
    main()

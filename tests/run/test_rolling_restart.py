"""Two replicas behind nginx, restarted one after the other while callers come and go."""

import asyncio
import json
import re
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import aiohttp
import pytest

from gateway.simulator.entities import Kind

REST = "/rest/serverengine"
NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
READERS = Path(__file__).with_name("readers.py")
UPLOAD_BYTES = 256 * 1024
# Too long for a stop to wait for, with the drain timeout of the test; so it breaks off.
DOWNLOAD_SECONDS = 60
DOWNLOADS = 3
DRAIN_SECONDS = 2
OPERATION_SECONDS = 4
# Nobody is refused for asking for more than the machine has: what is reached is printed.
READS_PER_SECOND = 500
READ_CONNECTIONS = 64

LINE = re.compile(r"^(id|event|data): (.*)$", re.MULTILINE)
# The operations' owner may run pipelines; what is under way at a stop has less time than usual.
REPLACED = {
    "drain_timeout: 60s": f"drain_timeout: {DRAIN_SECONDS}s",
    "read_timeout: 60s": "read_timeout: 120s",  # only a stop may break a download off
    '"file_store.*", "authentication.*", "job_entity.*"]}]': """"*.*"]}]
    pipelines: ["*"]
pipelines:
  invoice:
    data_mapping: Promo-EN.OL-datamapper
    template: letter-ol.OL-template
    output_preset: Print-PDF.OL-outputpreset
""",
}

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX"),
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
]

# As in front of any replicas: only what may be repeated is repeated (proxy_next_upstream leaves
# POST out unless told otherwise), and uploads are passed on as they come. With max_fails above 0,
# nginx goes on avoiding a replica for fail_timeout after it is back, and has none left when the
# other one goes in that time.
CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
  access_log off; client_max_body_size 0;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  underscores_in_headers on;
  upstream gateways {{
    server 127.0.0.1:{first} max_fails=0;
    server 127.0.0.1:{second} max_fails=0;
    keepalive 32;
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://gateways; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_request_buffering off; proxy_buffering off;
      proxy_next_upstream error timeout http_503;
    }}
  }}
}}
"""


@pytest.fixture
async def nginx(tmp_path: Path, ports: tuple[int, int, int]) -> AsyncIterator[str]:
    port, first, second = ports
    file = tmp_path / "nginx.conf"
    file.write_text(CONFIG.format(folder=tmp_path, port=port, first=first, second=second))
    assert NGINX is not None
    process = await asyncio.create_subprocess_exec(
        NGINX, "-c", str(file), "-e", str(tmp_path / "error.log")
    )
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    await process.wait()


@pytest.fixture
def ports(free_ports: Any) -> tuple[int, int, int]:
    first, second, third = free_ports(3)
    return first, second, third


class Load:
    """Callers until told to stop; ``tally`` counts what they got."""

    def __init__(self, world: Any, url: str) -> None:
        self._world = world
        self._url = url
        self._ends = asyncio.Event()
        self.tally = Counter[str]()
        self.reads: list[int] = []

    def stop(self) -> None:
        self._ends.set()

    async def read_a_property(self) -> None:
        """One that is cached, as fast as was asked for; from a process of its own."""
        job = self._world.simulator.engine.entities.add(Kind.JOB).id
        path = f"{REST}/entity/jobs/{job}/properties"
        port, rate = self._url.rpartition(":")[2], str(READS_PER_SECOND)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, READERS, port, path, rate, str(READ_CONNECTIONS)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        process.stdin.write(f"{self._world.token()}\n".encode())
        await self._ends.wait()
        process.stdin.close()
        output, _ = await process.communicate()
        counted = json.loads(output)
        self.reads = counted["by_second"]
        self.tally["read of a property"] = sum(self.reads)
        self.tally.update(counted["wrong"])

    async def read(self, pause_seconds: float) -> None:
        async with aiohttp.ClientSession(headers=self._world.headers()) as session:
            while not self._ends.is_set():
                url = f"{self._url}{REST}/authentication/version"
                await self._count("read", session.get(url))
                await asyncio.sleep(pause_seconds)

    async def upload(self) -> None:
        async with aiohttp.ClientSession(headers=self._world.headers()) as session:
            while not self._ends.is_set():
                url = f"{self._url}{REST}/filestore/DataFile?filename=load.bin"
                await self._count("upload", session.post(url, data=_slowly()))

    async def download(self, file: str) -> None:
        """Streams that no stop waits for: each must end in a way that its reader notices."""
        url = f"{self._url}{REST}/filestore/file/{file}"
        async with aiohttp.ClientSession(headers=self._world.headers()) as session:
            while not self._ends.is_set():
                try:
                    async with asyncio.timeout(15), session.get(url) as response:
                        assert response.status == 200, await response.text()
                        await response.read()
                    self.tally["download ended as if it were whole"] += 1
                except TimeoutError:
                    self.tally["download left"] += 1
                except aiohttp.ClientPayloadError:
                    self.tally["download broken off"] += 1

    async def run(self) -> None:
        """Start one operation after the other, and listen to each until its end."""
        async with aiohttp.ClientSession(headers=self._world.headers()) as session:
            while not self._ends.is_set():
                url = f"{self._url}/api/v1/pipelines/invoice"
                async with session.post(url, data=b'[{"Name":"Jane"}]') as response:
                    answer = await response.json()
                    self.tally[f"start {response.status}"] += 1
                await self._listen(session, f"{self._url}/api/v1/operations/{answer['id']}/events")

    async def _listen(self, session: aiohttp.ClientSession, url: str) -> None:
        """As a browser's EventSource: come back with the last id until the end was seen."""
        seen, came_back = -1, 0
        while True:
            headers = {"Last-Event-ID": str(seen)} if seen >= 0 else {}
            async with session.get(url, headers=headers) as response:
                assert response.status == 200, await response.text()
                stream = await response.text()
            for id_, event in _events(stream):
                assert id_ > seen, f"event {id_} came again after {seen}"
                seen = id_
                if event != "progress":
                    self.tally[f"operation {event}"] += 1
                    self.tally["listener came back"] += came_back
                    return
            assert "retry: 1000" in stream, stream
            came_back += 1
            await asyncio.sleep(0.2)

    async def _count(self, kind: str, request: Any) -> None:
        try:
            async with request as response:
                body = await response.read()
                good = response.status == 200
                self.tally[f"{kind} ok" if good else f"{kind} {response.status} {body!r}"] += 1
        except aiohttp.ClientError as error:
            self.tally[f"{kind} {error!r}"] += 1


def _events(stream: str) -> list[tuple[int, str]]:
    blocks = [dict(LINE.findall(block)) for block in stream.split("\n\n")]
    return [(int(block["id"]), block["event"]) for block in blocks if "data" in block]


async def _slowly() -> AsyncIterator[bytes]:
    for _ in range(8):
        yield bytes(UPLOAD_BYTES // 8)
        await asyncio.sleep(0.05)


async def _restarted(world: Any, gateway: Any, configure: Any) -> Any:
    gateway.send(signal.SIGTERM)
    assert await gateway.end(seconds=20) == 0
    configure()
    return await world.serve()


async def _roll(
    world: Any, nginx: str, ports: tuple[int, int, int], store: str, rounds: int
) -> Any:
    def configured(port: int) -> Any:
        return lambda: world.configure(REPLACED, port=port, store=store)

    gateways = []
    for port in ports[1:]:
        configured(port)()
        gateways.append(await world.serve())
    options = world.simulator.options
    world.simulator.options = replace(options, operation_seconds=OPERATION_SECONDS)
    file = world.simulator.engine.add_zero_file("slow.zeros", 2**20).id
    world.simulator.faults.add(
        "slow_body", path="filestore/file", times=None, seconds=DOWNLOAD_SECONDS
    )
    load = Load(world, nginx)
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(load.read_a_property())]
        callers += [group.create_task(load.read(0.1)) for _ in range(4)]
        callers += [group.create_task(load.upload()) for _ in range(3)]
        callers += [group.create_task(load.download(file)) for _ in range(DOWNLOADS)]
        callers += [group.create_task(load.run()) for _ in range(10)]
        await asyncio.sleep(0.5)
        for _ in range(rounds):
            for index, port in enumerate(ports[1:]):
                gateways[index] = await _restarted(world, gateways[index], configured(port))
                await asyncio.sleep(0.5)
        load.stop()
    assert all(caller.done() for caller in callers)
    return load, time.monotonic() - began


EXPECTED = {
    "read of a property",
    "read ok",
    "upload ok",
    "start 202",
    "operation succeeded",
    "listener came back",
    "download broken off",
    "download left",
}


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_nobody_but_endless_streams_notices_rolling_restarts(
    world: Any, nginx: str, ports: tuple[int, int, int], redis_url: str
) -> None:
    load, seconds = await _roll(world, nginx, ports, redis_url, rounds := 3)
    tally = load.tally
    print(f"{sum(tally.values())} requests in {seconds:.0f} s, 6 restarts: {dict(tally)}")
    _, *whole_seconds, _ = load.reads
    print(
        f"{mean(whole_seconds):.0f} reads/s of the {READS_PER_SECOND} asked for,"
        f" {min(whole_seconds)} to {max(whole_seconds)} in each second"
    )
    failed = {what: count for what, count in tally.items() if count and what not in EXPECTED}
    assert not failed
    assert rounds <= tally["download broken off"] <= DOWNLOADS * 2 * rounds
    assert tally["listener came back"] >= rounds
    assert tally["operation succeeded"] == tally["start 202"] > 10
    assert tally["read of a property"] > 1000
    assert tally["read ok"] > 100
    assert tally["upload ok"] > 5

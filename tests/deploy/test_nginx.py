"""A real nginx, set up as documented, before a real gateway."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from tests.support.ports import free_port
from tests.support.stage import REST, Stage

MAIN = """
daemon off;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/front.conf;
}}
"""
PATIENCE_SECONDS = 30.0


def _configure(deploy: Path, folder: Path, port: int, gateway_port: int) -> Path:
    front = (deploy / "compose/nginx.conf").read_text(encoding="utf-8")
    for old, new in {
        "server gateway-1:8080;": f"server 127.0.0.1:{gateway_port};",
        "server gateway-2:8080;": "",
        "listen 8080;": f"listen 127.0.0.1:{port};",
        "/etc/nginx/olgw-proxy.conf": str(deploy / "nginx/olgw-proxy.conf"),
    }.items():
        assert old in front
        front = front.replace(old, new)
    (folder / "front.conf").write_text(front, encoding="utf-8")
    main = folder / "nginx.conf"
    main.write_text(MAIN.format(folder=folder), encoding="utf-8")
    return main


async def _until_open(port: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with suppress(ConnectionError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)


@pytest.fixture
async def front(
    stage: Stage, program: Callable[[str], str], deploy: Path, tmp_path: Path
) -> AsyncIterator[str]:
    """The address of nginx, through which the stage's gateway is reached."""
    port = free_port()
    main = _configure(deploy, tmp_path, port, stage.gateway.public.port)
    process = await asyncio.create_subprocess_exec(
        program("nginx"), "-c", str(main), "-p", str(tmp_path), "-e", str(tmp_path / "error.log")
    )
    try:
        await _until_open(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def test_clients_of_ol_connect_work_through_nginx(stage: Stage, front: str) -> None:
    """``auth_token`` has an underscore: nginx drops it unless it is told not to."""
    headers = {"auth_token": stage.token()}
    target = f"{front}{REST}/entity/jobsets"
    async with stage.session.get(target, headers=headers) as reply:
        assert reply.status == 200


@pytest.mark.parametrize("path", ["/entity/jobs/1%2F2", "/entity//jobsets", "/entity/../jobsets"])
async def test_the_path_arrives_as_it_was_sent(stage: Stage, front: str, path: str) -> None:
    headers = {"Authorization": f"Bearer {stage.token()}"}
    target = URL(f"{front}{REST}{path}", encoded=True)
    async with stage.session.get(target, headers=headers) as reply:
        assert (await reply.json())["error"]["code"] == "ambiguous_path"


async def test_a_large_upload_and_a_large_token_pass(stage: Stage, front: str) -> None:
    padding = [f"group-{number}" for number in range(900)]
    headers = {"auth_token": stage.token("ol-billing", *padding)}
    assert len(headers["auth_token"]) > 12_000
    target = f"{front}{REST}/filestore/DataFile?filename=big.json"
    async with stage.session.post(
        target, headers=headers, data=io.BytesIO(bytes(3_000_000))
    ) as reply:
        assert reply.status == 200
    assert stage.requests("/filestore/DataFile")


async def test_an_answer_flows_while_it_is_made(stage: Stage, front: str) -> None:
    """Server-sent events: the first is here while the operation is still running."""
    headers = {"Authorization": f"Bearer {stage.token()}"}
    target = f"{front}/api/v1/pipelines/invoice?filename=a.json"
    data = b'[{"Name":"Jane"}]'
    async with stage.session.post(target, headers=headers, data=data) as reply:
        assert reply.status == 202
        events = URL((await reply.json(content_type=None))["links"]["events"]).path
    timeout = aiohttp.ClientTimeout(total=60)
    async with stage.session.get(f"{front}{events}", headers=headers, timeout=timeout) as reply:
        assert reply.headers["Content-Type"].startswith("text/event-stream")
        text = ""
        async for line in reply.content:
            text += line.decode()
            if "event: succeeded" in text:
                break
    assert "event: succeeded" in text

"""The operators' listener answers three paths, to whoever can reach it, and no other."""

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from gateway import admin, listener
from gateway.admin import Admin, Check
from gateway.settings import Address
from tests.support.stage import Stage
from tests.support.wire import dial


async def _get(stage: Stage, path: str, **options: object) -> tuple[int, str, str]:
    url = stage.admin_url + path
    async with stage.session.get(url, **options) as response:  # type: ignore[arg-type]
        return response.status, response.headers["Content-Type"], await response.text()


async def test_metrics_come_as_text_or_as_open_metrics(stage: Stage) -> None:
    status, content_type, text = await _get(stage, "/metrics")
    assert (status, content_type.partition(";")[0]) == (200, "text/plain")
    assert "olgw_build_info" in text
    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    status, content_type, text = await _get(stage, "/metrics", headers=accept)
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


async def test_it_lives_and_is_ready_and_says_why(stage: Stage) -> None:
    assert (await _get(stage, "/livez"))[::2] == (200, "ok\n")
    stage.gateway.front.regime.authenticator.refresh_due()
    await stage.caller().get("/entity/version")
    status, _, text = await _get(stage, "/readyz?verbose")
    assert (status, text.splitlines()[-1]) == (200, "ready")
    assert "[+] store answers" in text


@pytest.mark.parametrize("path", ["/", "/rest/serverengine/entity", "/metrics/", "/api/v1/me"])
async def test_everything_else_is_404(stage: Stage, path: str) -> None:
    assert (await _get(stage, path))[0] == 404


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz"])
async def test_none_of_it_is_on_the_public_listener(stage: Stage, path: str) -> None:
    async with stage.session.get(stage.url + path) as response:
        assert response.status in (401, 404)


async def test_other_methods_are_refused_and_head_is_answered(stage: Stage) -> None:
    async with stage.session.post(stage.admin_url + "/livez") as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")
    async with stage.session.head(stage.admin_url + "/livez") as response:
        assert response.status == 200
    async with dial(stage.gateway.admin.port) as wire:
        await wire.send(b"nonsense\r\n\r\n")
        assert (await wire.answer()).body == b"bad request\n"


@pytest.mark.parametrize("failure", [OSError("disk"), TimeoutError(), RuntimeError()])
async def test_a_check_that_fails_means_not_ready(stage: Stage, failure: Exception) -> None:
    async def fails() -> bool:
        raise failure

    async def gathered() -> CollectorRegistry:
        return stage.gateway.metrics.registry

    handler = Admin(gathered, [Check("disk", fails)])
    listening = await listener.listen(
        handler.handle,
        Address("127.0.0.1", 0),
        malformed=admin.refused,
        max_header_bytes=8192,
    )
    try:
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{listening.port}/readyz"
            async with session.get(url) as response:
                assert response.status == 503
                assert "[-] disk" in await response.text()
    finally:
        await listening.stop()

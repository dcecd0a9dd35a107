"""What ``olgw doctor`` finds around a gateway: all is well, and each thing that may be wrong."""

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from aiohttp import web

from gateway.doctor import Finding, Mark, examine
from gateway.simulator.issuer import Fault
from gateway.simulator.options import User
from tests.support import tls
from tests.support.stage import CONFIG, Stage, settings_of

USERS = {"svc-print": User("print-pw"), "svc-archive": User("archive-pw")}
NO_GATEWAY = {"http://gateway.test": "http://127.0.0.1:9"}


async def _findings(stage: Stage, replace: Mapping[str, str], now: float = 0) -> list[Finding]:
    text = stage.config.format(upstream=stage.simulator.url, issuer=stage.issuer.url)
    for old, new in (NO_GATEWAY | dict(replace)).items():
        assert old in text, old
        text = text.replace(old, new)
    settings = settings_of(text)
    return [finding async for finding in examine(settings, lambda: stage.clock.now() + now)]


def _of(findings: list[Finding], subject: str, mark: Mark) -> str:
    return "\n".join(one.text for one in findings if (one.subject, one.mark) == (subject, mark))


async def test_all_is_well(stage: Stage) -> None:
    findings = await _findings(stage, {"http://127.0.0.1:9": stage.url})
    assert not [one for one in findings if one.mark is Mark.BAD and one.subject != "public_url"]
    assert "2 usable keys, for ES256, RS256" in _of(findings, "issuer corporate", Mark.GOOD)
    assert "clock" in _of(findings, "issuer corporate", Mark.GOOD)
    assert "clock" in _of(findings, "OL Connect", Mark.GOOD)
    assert "a token lives 3600 s" in _of(findings, "credential printing", Mark.GOOD)
    assert "version 2024.2" in _of(findings, "credential archive", Mark.GOOD)
    assert "http://olserver:9340" in _of(findings, "links", Mark.UNKNOWN)
    assert "this machine only" in _of(findings, "admin", Mark.GOOD)
    started = [one for one in stage.simulator.record.requests if "workflow" in one.raw_path]
    assert not started


async def test_another_gateway_at_public_url_is_noticed(stage: Stage) -> None:
    findings = await _findings(stage, {"http://127.0.0.1:9": stage.url})
    assert "another public_url" in _of(findings, "public_url", Mark.BAD)


async def test_public_url_without_address_or_tls(stage: Stage) -> None:
    findings = await _findings(stage, {"http://127.0.0.1:9": "http://nowhere.invalid"})
    assert "nowhere.invalid has no address" in _of(findings, "public_url", Mark.UNKNOWN)
    assert "in the clear" in _of(findings, "public_url", Mark.BAD)


async def test_an_admin_listener_for_everybody_is_pointed_out(stage: Stage) -> None:
    admin = {'admin: {address: "127.0.0.1:0"}': 'admin: {address: "0.0.0.0:9090"}'}
    findings = await _findings(stage, admin)
    assert "only Prometheus" in _of(findings, "admin", Mark.UNKNOWN)


@pytest.mark.parametrize(
    ("where", "fault", "text"),
    [
        ("discovery", Fault.SERVER_ERROR, "discovery failed"),
        ("discovery", Fault.WRONG_ISSUER, "discovery failed"),
        ("jwks", Fault.HTML, "cannot be read"),
        ("jwks", Fault.NO_KEYS, "no key"),
    ],
)
async def test_an_issuer_at_fault(stage: Stage, where: str, fault: Fault, text: str) -> None:
    stage.issuer.faults[where] = fault
    assert text in _of(await _findings(stage, {}), "issuer corporate", Mark.BAD)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:9", "no connection"),
        ("https://nowhere.invalid", "no address here"),
    ],
)
async def test_an_issuer_that_is_not_there(stage: Stage, address: str, words: str) -> None:
    findings = await _findings(stage, {stage.issuer.url: address})
    assert words in _of(findings, "issuer corporate", Mark.BAD)


async def test_certificates_that_nobody_here_knows(stage: Stage, tmp_path: Path) -> None:
    files = tls.certificate(tmp_path)
    async with tls.in_front_of(stage.issuer.url, files) as issuer:
        findings = await _findings(stage, {stage.issuer.url: issuer})
        assert "SSL_CERT_FILE" in _of(findings, "issuer corporate", Mark.BAD)
    async with tls.in_front_of(stage.simulator.url, files) as upstream:
        findings = await _findings(stage, {stage.simulator.url: upstream})
        assert "upstream.tls.ca_file" in _of(findings, "OL Connect", Mark.BAD)
        url = f'url: "{upstream}"'
        trusting = f'{url}, tls: {{ca_file: "{files[0]}"}}'
        findings = await _findings(stage, {stage.simulator.url: upstream, url: trusting})
        assert "answers at https" in _of(findings, "OL Connect", Mark.GOOD)
        assert "logged in" in _of(findings, "credential printing", Mark.GOOD)


async def test_keys_that_no_allowed_algorithm_fits(stage: Stage) -> None:
    only = {"audiences: [olconnect]": "audiences: [olconnect], algorithms: [EdDSA]"}
    text = _of(await _findings(stage, only), "issuer corporate", Mark.BAD)
    assert "algorithms allows only EdDSA" in text


@pytest.mark.parametrize(("ahead", "words"), [(90, "behind"), (-90, "ahead of")])
async def test_clocks_that_differ(stage: Stage, ahead: float, words: str) -> None:
    findings = await _findings(stage, {}, now=ahead)
    for subject in ("issuer corporate", "OL Connect"):
        assert words in _of(findings, subject, Mark.BAD)


async def test_ol_connect_is_not_there(stage: Stage) -> None:
    findings = await _findings(stage, {stage.simulator.url: "http://127.0.0.1:7"})
    assert "service running" in _of(findings, "OL Connect", Mark.BAD)
    assert "not tried" in _of(findings, "credential printing", Mark.UNKNOWN)


async def test_ol_connect_listens_on_localhost_only(stage: Stage) -> None:
    address = await _own_address()
    findings = await _findings(stage, {stage.simulator.url: f"http://{address}:9"})
    assert "2024.2" in _of(findings, "OL Connect", Mark.BAD)


async def _own_address() -> str:
    """One of this machine's that is not loopback's: there a connection is refused, not lost."""
    import socket  # noqa: PLC0415

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no network")
        return str(probe.getsockname()[0])


async def test_https_to_what_speaks_http(stage: Stage) -> None:
    address = stage.simulator.url
    findings = await _findings(stage, {address: address.replace("http:", "https:")})
    assert "begin with http://?" in _of(findings, "OL Connect", Mark.BAD)


async def test_something_else_answers_in_ol_connects_place(stage: Stage) -> None:
    findings = await _findings(stage, {stage.simulator.url: stage.issuer.url})
    assert "404" in _of(findings, "OL Connect", Mark.BAD)


async def test_ol_connects_name_is_unknown(stage: Stage) -> None:
    findings = await _findings(stage, {stage.simulator.url: "http://olserver.invalid:9340"})
    assert "olserver.invalid has no address" in _of(findings, "OL Connect", Mark.BAD)


async def test_credentials_that_are_refused(stage: Stage) -> None:
    wrong = {"print-pw": "secret-1", "archive-pw": "secret-2"}
    findings = await _findings(stage, wrong)
    assert "refuses user svc-print" in _of(findings, "credential printing", Mark.BAD)
    assert "refuses user svc-archive" in _of(findings, "credential archive", Mark.BAD)
    assert "secret-" not in "\n".join(map(str, findings))


async def test_server_security_that_is_off(stage: Stage) -> None:
    stage.simulator.change(security=False, open_login="empty")
    findings = await _findings(stage, {})
    assert "security is off" in _of(findings, "credential printing", Mark.UNKNOWN)


@pytest.fixture
async def dropping_proxy(stage: Stage) -> AsyncIterator[str]:
    """As nginx is unless told otherwise: headers with an underscore do not get through."""

    async def pass_on(request: web.BaseRequest) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if "_" not in name}
        url = stage.simulator.url + request.path
        async with stage.session.request(request.method, url, headers=headers) as response:
            body = await response.read()
            return web.Response(status=response.status, body=body)

    runner = web.ServerRunner(web.Server(pass_on))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{site.port}"
    await runner.cleanup()


async def test_a_proxy_that_drops_auth_token(stage: Stage, dropping_proxy: str) -> None:
    findings = await _findings(stage, {stage.simulator.url: dropping_proxy})
    assert "underscores_in_headers" in _of(findings, "credential printing", Mark.BAD)
    assert "accepted" in _of(findings, "credential archive", Mark.GOOD)


async def test_stores(stage: Stage, tmp_path: Path) -> None:
    async def store(text: str) -> list[Finding]:
        found = await _findings(stage, {'store: "memory:"': f'store: "{text}"'})
        return [one for one in found if one.subject == "store"]

    assert "forgotten" in str((await _findings(stage, {}))[-1])
    (redis,) = await store("redis://127.0.0.1:9/0")
    assert (redis.mark, "does not answer" in redis.text) == (Mark.BAD, True)
    path = tmp_path / "state" / "olgw.db"
    (sqlite,) = await store(f"sqlite:{path}")
    assert sqlite.mark is Mark.GOOD
    assert not path.exists()
    path.parent.mkdir()
    path.write_text("not a database, but long enough to be looked at as one" * 20)
    (broken,) = await store(f"sqlite:{path}")
    assert broken.mark is Mark.BAD


@pytest.mark.parametrize(
    ("password", "fault", "code"),
    [("print-pw", None, 0), ("wrong", None, 1), ("print-pw", Fault.SERVER_ERROR, 1)],
)
async def test_the_command_tells_line_by_line_and_exits_with_0_or_1(
    stage: Stage, tmp_path: Path, password: str, fault: Fault | None, code: int
) -> None:
    if fault:
        stage.issuer.faults["discovery"] = fault
    path = tmp_path / "gateway.yaml"
    text = CONFIG.format(upstream=stage.simulator.url, issuer=stage.issuer.url)
    text = text.replace("http://gateway.test", "http://127.0.0.1:9").replace("print-pw", password)
    path.write_text(text)
    command = [sys.executable, "-m", "gateway", "doctor", "--config", str(path)]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT)
    output = (await process.communicate())[0].decode()
    assert process.returncode == code, output
    assert output.startswith(f"ok config: {path} is valid\n")
    assert {line[:3] for line in output.splitlines()} <= {"ok ", "!! ", "-- "}
    assert password not in output

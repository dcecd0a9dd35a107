"""Whether OL Connect can be reached, and takes every credential. Nothing is started there."""

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from gateway.catalogue import PREFIX
from gateway.doctor.finding import Clock, Finding, Findings, bad, clock, good, unknown
from gateway.problems import Problem, UpstreamCredentialRefused
from gateway.settings import Credential, Settings
from gateway.settings.addresses import is_loopback
from gateway.upstream.call import Call
from gateway.upstream.client import Upstream
from gateway.upstream.login import UpstreamLogin

_SUBJECT = "OL Connect"
_HANDSHAKE = f"{PREFIX}/authentication"
_VERSION = f"{PREFIX}/authentication/version"
_VERSION_BYTES = 1024
_REFUSED = (401, 403)
_KNOWN = (200, 204, *_REFUSED)  # the first ones when server security is off

Line = tuple[str, str]


async def examine(settings: Settings, now: Clock) -> Findings:
    async with _opened(settings) as upstream:
        try:
            status, date = await _greeted(upstream)
        except Problem as problem:
            yield bad(_SUBJECT, _why_unreachable(settings.upstream.url, problem))
            for name in settings.credentials:
                yield unknown(f"credential {name}", "not tried: OL Connect cannot be reached")
            return
        if status not in _KNOWN:
            yield bad(
                _SUBJECT,
                f"{settings.upstream.url} answers {status} to {_HANDSHAKE}, as OL Connect does "
                "not: is upstream.url its REST API?",
            )
        else:
            yield good(_SUBJECT, f"answers at {settings.upstream.url}")
        yield clock(_SUBJECT, date, now())
        for name, credential in settings.credentials.items():
            async for finding in _credential(f"credential {name}", credential, upstream):
                yield finding


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Upstream]:
    # By aiohttp's session: its errors say best why there is no connection.
    upstream = Upstream(settings.upstream, express=False)
    try:
        yield upstream
    finally:
        await upstream.close()


async def _greeted(upstream: Upstream) -> tuple[int, str | None]:
    """The status and the time of the answer to a stranger."""
    async with upstream.send(Call("HEAD", _HANDSHAKE)) as response:
        return response.status, response.headers.get("Date")


def _why_unreachable(url: str, problem: Problem) -> str:
    cause = problem.__cause__
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted: name the one that signed it in upstream.tls.ca_file"
    if isinstance(cause, aiohttp.ClientConnectorSSLError):
        return f"no TLS is spoken at {url}: should upstream.url begin with http://?"
    if isinstance(cause, aiohttp.ClientConnectorError):
        return _why_no_connection(url, cause.os_error)
    return f"{problem.detail or problem.title} Look whether upstream.url is OL Connect's REST API"


def _why_no_connection(url: str, error: OSError) -> str:
    host = URL(url).host or ""
    if isinstance(error, socket.gaierror):
        return f"{host} has no address here: check upstream.url, or the DNS"
    if not isinstance(error, ConnectionRefusedError):
        return f"no connection to {url}: is there a firewall between?"
    if is_loopback(host):
        return f"nothing listens at {url}: is the OL Connect Server service running?"
    return (
        f"{url} refuses connections. Since 2024.2 OL Connect Server takes them from localhost only "
        "unless told otherwise: allow other hosts in OL Connect's Server Configuration, or run the "
        "gateway on the same machine with upstream.url http://127.0.0.1:9340"
    )


async def _credential(subject: str, credential: Credential, upstream: Upstream) -> Findings:
    basic = aiohttp.encode_basic_auth(
        credential.username, credential.password.reveal(), encoding=credential.encoding
    )
    try:
        line = ("Authorization", basic)
        if credential.kind == "auth_token":
            token = await UpstreamLogin(upstream, time.monotonic)(basic)
            if not token.text:
                yield unknown(subject, "server security is off: OL Connect serves whoever asks")
                return
            yield good(subject, f"logged in; a token lives {token.seconds:.0f} s")
            line = ("auth_token", token.text)
        yield await _accepted(subject, credential, line, upstream)
    except UpstreamCredentialRefused:
        yield bad(subject, _wrong_password(credential))
    except Problem as problem:
        yield bad(subject, problem.detail or problem.title)


async def _accepted(
    subject: str, credential: Credential, line: Line, upstream: Upstream
) -> Finding:
    async with upstream.send(Call("HEAD", _HANDSHAKE, headers=[line])) as response:
        status = response.status
    if status in _REFUSED and credential.kind == "auth_token":
        return bad(
            subject,
            "OL Connect refuses the token it has just given. A proxy between may drop headers with "
            "an underscore in their name (nginx: underscores_in_headers on)",
        )
    if status in _REFUSED:
        return bad(subject, _wrong_password(credential))
    version = await _version(line, upstream)
    return good(subject, f"accepted; OL Connect is version {version}" if version else "accepted")


def _wrong_password(credential: Credential) -> str:
    return (
        f"OL Connect refuses user {credential.username}: check name and password there, and "
        f"encoding ({credential.encoding}) if they have letters beyond ASCII"
    )


async def _version(line: Line, upstream: Upstream) -> str | None:
    """Servers before 2020 do not tell it."""
    async with upstream.send(Call("GET", _VERSION, headers=[line])) as response:
        text = (await upstream.read(response, _VERSION_BYTES)).decode("ascii", "replace")
    return text if response.status == 200 and text.isprintable() else None

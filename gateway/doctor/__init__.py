"""``olgw doctor``: looks at what surrounds the gateway, and says what to do about what is wrong.

It reads only, and none of its findings shows a secret.
"""

import asyncio
import os
import time
from pathlib import Path

import aiohttp
from yarl import URL

from gateway.auth.requests import IssuerFault, get_document, open_session
from gateway.doctor import connect, issuers
from gateway.doctor.finding import Clock, Finding, Findings, Mark, bad, good, unknown
from gateway.problems import StoreUnavailable
from gateway.settings import Settings
from gateway.settings.addresses import is_loopback
from gateway.stores import StoreUnusable, open_store

__all__ = ["Finding", "Mark", "examine"]


async def examine(settings: Settings, now: Clock = time.time) -> Findings:
    """One finding after the other, as they are made."""
    yield _admin(settings)
    async with open_session() as session:
        async for finding in _public_url(settings, session):
            yield finding
        for name, issuer in settings.issuers.items():
            async for finding in issuers.examine(name, issuer, session, now):
                yield finding
    async for finding in connect.examine(settings, now):
        yield finding
    yield _links(settings)
    yield await _store(settings)


def _admin(settings: Settings) -> Finding:
    address = settings.admin.address
    if is_loopback(address.host):
        return good("admin", f"{address} is reached from this machine only")
    return unknown(
        "admin",
        f"{address} answers whoever reaches it: see that only Prometheus and the probes do, or set "
        "admin.address to 127.0.0.1:9090",
    )


async def _public_url(settings: Settings, session: aiohttp.ClientSession) -> Findings:
    url = settings.public_url
    host = URL(url).host or ""
    if url.startswith("http://") and not is_loopback(host):
        yield bad("public_url", "is http: callers' tokens would travel in the clear. Use TLS")
    try:
        await asyncio.get_running_loop().getaddrinfo(host, None)
    except (OSError, UnicodeError):
        # Callers' DNS counts: a machine inside often does not know the name outside.
        yield unknown("public_url", f"{host} has no address here: it must have one for callers")
        return
    yield await _service(url, session)


async def _service(url: str, session: aiohttp.ClientSession) -> Finding:
    try:
        document = await get_document(session, f"{url}/.well-known/oauth-protected-resource")
    except IssuerFault:
        return unknown("public_url", f"no gateway answers at {url}, which is fine if none runs")
    if document.get("resource") != url:
        return bad(
            "public_url", f"at {url} answers a gateway with another public_url: check both files"
        )
    return good("public_url", f"a gateway answers at {url}")


def _links(settings: Settings) -> Finding:
    """Only an operation's links would show what OL Connect writes, and none is started here."""
    known = ", ".join((settings.upstream.url, *settings.upstream.aliases))
    return unknown(
        "links",
        f"those to {known} are led back to public_url. OL Connect writes the host that it believes "
        "it has: if callers miss the Link lines of operations, add that origin to upstream.aliases",
    )


async def _store(settings: Settings) -> Finding:
    wanted = settings.store
    if wanted.kind == "memory":
        return unknown("store", "memory: operations and owners are forgotten with every restart")
    if wanted.path is not None and not wanted.path.exists():
        return _folder(wanted.path)
    url = wanted.url.reveal() if wanted.url else f"{wanted.kind}:{wanted.path or ''}"
    try:
        store = await open_store(url, base=Path())
    except StoreUnusable as error:
        return bad("store", str(error))
    try:
        await store.ping()
    except StoreUnavailable:
        return bad("store", f"{wanted.kind} does not answer: is it running, and reached from here?")
    finally:
        await store.close()
    return good("store", f"{wanted.kind} answers")


def _folder(path: Path) -> Finding:
    """A file that a gateway would create; to open it would create it now."""
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if os.access(folder, os.W_OK):
        return good("store", f"{path} will be created")
    return bad("store", f"{path} cannot be created: {folder} may not be written to")

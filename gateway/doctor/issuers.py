"""Whether an issuer's tokens can be verified: discovery, keys, clock."""

import aiohttp

from gateway.auth import jwks, keys
from gateway.auth.discovery import Discovery
from gateway.auth.requests import TIMEOUT_SECONDS, IssuerFault
from gateway.doctor.finding import Clock, Finding, Findings, bad, clock, good
from gateway.settings import Issuer, JwksFile, JwksUrl
from gateway.tasks import TaskSet


async def examine(
    name: str, issuer: Issuer, session: aiohttp.ClientSession, now: Clock
) -> Findings:
    subject = f"issuer {name}"
    discovery = Discovery(issuer.issuer, session, TaskSet())
    if issuer.jwks == "discovery":
        try:
            await discovery.metadata()
        except IssuerFault as error:
            yield bad(
                subject,
                f"discovery failed: {_reason(error)}. {issuer.issuer} must serve "
                ".well-known/openid-configuration, and name itself there exactly as it does here",
            )
            return
        yield good(subject, "discovery document found")
    yield await _keys(subject, issuer, discovery, session)
    if not isinstance(issuer.jwks, JwksFile):
        yield clock(subject, await _date(session, issuer.issuer), now())


async def _keys(
    subject: str, issuer: Issuer, discovery: Discovery, session: aiohttp.ClientSession
) -> Finding:
    try:
        found = jwks.read_keys(await _source(issuer, discovery, session)(anew=False))
    except IssuerFault as error:
        return bad(subject, f"its keys cannot be read: {_reason(error)}")
    if not found:
        return bad(subject, "publishes no key that signatures could be checked with")
    offered = frozenset[str]().union(*(key.algorithms for key in found))
    shared = sorted(offered.intersection(issuer.algorithms))
    if not shared:
        return bad(
            subject,
            f"its keys are for {', '.join(sorted(offered))}, but algorithms allows only "
            f"{', '.join(issuer.algorithms)}: no token could be accepted",
        )
    return good(subject, f"{len(found)} usable keys, for {', '.join(shared)}")


def _reason(fault: IssuerFault) -> str:
    cause = fault.__cause__
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        return (
            "its certificate is not trusted here. Add the CA that signed it to the system's, or "
            "name the CA's file in the environment variable SSL_CERT_FILE"
        )
    if isinstance(cause, aiohttp.ClientConnectorDNSError):
        return "its host has no address here; check the name, or the DNS"
    if isinstance(cause, aiohttp.ClientConnectorError):
        return "no connection to it; check the address, and whether a firewall is between"
    if isinstance(cause, TimeoutError):
        return f"no answer within {TIMEOUT_SECONDS:.0f} s"
    return str(fault)


def _source(issuer: Issuer, discovery: Discovery, session: aiohttp.ClientSession) -> keys.KeySource:
    match issuer.jwks:
        case JwksFile(file=file):
            return keys.from_file(file)
        case JwksUrl(url=url):
            return keys.from_url(url, session)
        case _:
            return keys.from_discovery(discovery, session)


async def _date(session: aiohttp.ClientSession, url: str) -> str | None:
    try:
        async with session.get(url, allow_redirects=False) as response:
            return response.headers.get("Date")
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None

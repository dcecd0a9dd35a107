"""Puts together, for each issuer of the configuration, what it takes to deal with it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import aiohttp

from gateway.auth.client_auth import BASIC, POST, ClientSecret
from gateway.auth.discovery import Discovery, Metadata
from gateway.auth.introspection import IntrospectionClient, Introspector
from gateway.auth.keys import IssuerKeys, KeySource, from_discovery, from_file, from_url
from gateway.auth.login import GrantRequest, LoginBridge
from gateway.auth.requests import IssuerFault
from gateway.auth.tokens import IssuerVerifier
from gateway.rules.claims import Expectation
from gateway.settings import Introspection, Issuer, JwksFile, JwksUrl, Login
from gateway.tasks import TaskSet


@dataclass(frozen=True, slots=True)
class ConnectedIssuer:
    """One issuer at work. ``settings`` says which configuration it was made from."""

    settings: Issuer
    verifier: IssuerVerifier
    login: LoginBridge


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every issuer shares. ``observe_fetch`` is told an issuer's name and a fetch's result."""

    session: aiohttp.ClientSession
    tasks: TaskSet
    now: Callable[[], float]
    observe_fetch: Callable[[str, str], None] = lambda issuer, result: None


def connect(
    issuers: Mapping[str, Issuer],
    surroundings: Surroundings,
    previous: Mapping[str, ConnectedIssuer] | None = None,
) -> dict[str, ConnectedIssuer]:
    """One ConnectedIssuer for each. Those of ``previous`` whose settings are the same are kept
    with their keys, so that a reload works while an issuer is down."""
    connected = {}
    for name, settings in issuers.items():
        kept = (previous or {}).get(name)
        reusable = kept is not None and kept.settings == settings
        connected[name] = kept if reusable and kept else _connect(name, settings, surroundings)
    return connected


def reread_files(
    issuers: Mapping[str, ConnectedIssuer], previous: Mapping[str, ConnectedIssuer]
) -> None:
    """Of the issuers that were kept, those with their keys in a file look at it again."""
    for name, issuer in issuers.items():
        if issuer is previous.get(name) and isinstance(issuer.settings.jwks, JwksFile):
            issuer.verifier.keys.refresh()


def _connect(name: str, settings: Issuer, around: Surroundings) -> ConnectedIssuer:
    discovery = Discovery(settings.issuer, around.session, around.tasks)
    keys = IssuerKeys(
        name,
        _key_source(settings, discovery, around.session),
        around.tasks,
        around.now,
        lambda result: around.observe_fetch(name, result),
    )
    verifier = IssuerVerifier(
        name=name,
        expected=Expectation(settings.issuer, frozenset(settings.audiences), settings.leeway),
        algorithms=frozenset(settings.algorithms),
        keys=keys,
        introspector=_introspector(settings.introspection, discovery, around),
    )
    bridge = _login(settings.login or Login(), discovery, around)
    return ConnectedIssuer(settings, verifier, bridge)


def _key_source(
    settings: Issuer, discovery: Discovery, session: aiohttp.ClientSession
) -> KeySource:
    match settings.jwks:
        case JwksUrl(url=url):
            return from_url(url, session)
        case JwksFile(file=file):
            return from_file(file)
        case _:
            return from_discovery(discovery, session)


def _login(settings: Login, discovery: Discovery, around: Surroundings) -> LoginBridge:
    async def metadata() -> Metadata:
        if settings.url == "discovery":
            return await discovery.metadata()
        return Metadata(token_endpoint=settings.url, token_auth_methods=frozenset({BASIC, POST}))

    request = GrantRequest(settings.scope, settings.audience, settings.resource)
    return LoginBridge(metadata, request, around.session, around.now)


def _introspector(
    settings: Introspection | None, discovery: Discovery, around: Surroundings
) -> Introspector | None:
    if settings is None:
        return None
    client = IntrospectionClient(
        _introspection_endpoint(settings.url, discovery),
        ClientSecret(settings.client_id, settings.client_secret.reveal()),
    )
    return Introspector(client, around.session, around.tasks, around.now)


def _introspection_endpoint(url: str, discovery: Discovery) -> Callable[[], Awaitable[str]]:
    async def endpoint() -> str:
        if url != "discovery":
            return url
        found = (await discovery.metadata()).introspection_endpoint
        if found is None:
            raise IssuerFault("the discovery document names no introspection_endpoint")
        return found

    return endpoint

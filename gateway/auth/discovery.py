"""What an issuer publishes about itself: OpenID Connect Discovery 1.0 and RFC 8414."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from gateway.auth.flight import SingleFlight
from gateway.auth.requests import IssuerFault, get_document
from gateway.settings.addresses import is_loopback
from gateway.tasks import TaskSet


@dataclass(frozen=True, slots=True)
class Metadata:
    """The addresses that the gateway uses; None where the issuer names none."""

    jwks_uri: str | None = None
    token_endpoint: str | None = None
    introspection_endpoint: str | None = None
    # RFC 8414 section 2: an issuer that names no methods takes client_secret_basic.
    token_auth_methods: frozenset[str] = frozenset({"client_secret_basic"})


class Discovery:
    """One issuer's metadata: read once for all who ask, kept until somebody wants it anew."""

    def __init__(self, issuer: str, session: aiohttp.ClientSession, tasks: TaskSet) -> None:
        self._issuer = issuer
        self._session = session
        self._flight: SingleFlight[Metadata] = SingleFlight(tasks, "discovery")
        self._known: Metadata | None = None

    async def metadata(self, *, anew: bool = False) -> Metadata:
        """Raises ``IssuerFault``; what was known before stays known."""
        if self._known is not None and not anew:
            return self._known
        return await self._flight.join(self._read)

    async def _read(self) -> Metadata:
        url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        document = await get_document(self._session, url)
        self._known = read_metadata(document, self._issuer)
        return self._known


def read_metadata(document: Mapping[str, Any], issuer: str) -> Metadata:
    """Raises ``IssuerFault`` if the document is another issuer's (Discovery section 4.3)."""
    if document.get("issuer") != issuer:
        raise IssuerFault("the discovery document is for another issuer")
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if not isinstance(methods, list):
        raise IssuerFault("token_endpoint_auth_methods_supported is no list")
    return Metadata(
        jwks_uri=_endpoint(document, "jwks_uri", issuer),
        token_endpoint=_endpoint(document, "token_endpoint", issuer),
        introspection_endpoint=_endpoint(document, "introspection_endpoint", issuer),
        token_auth_methods=frozenset(method for method in methods if isinstance(method, str)),
    )


def _endpoint(document: Mapping[str, Any], name: str, issuer: str) -> str | None:
    url = document.get(name)
    if url is None:
        return None
    # An issuer on plain http was allowed by name; its document is no safer than its endpoints.
    if not isinstance(url, str) or (is_protected(issuer) and not is_protected(url)):
        raise IssuerFault(f"{name} is not an https address")
    return url


def is_protected(url: str) -> bool:
    """Whether nobody on the way can change what is said: https, or http on this machine."""
    try:
        address = URL(url, encoded=True)
        host = address.host
    except ValueError:
        return False
    if not host or address.user is not None or address.password is not None:
        return False
    return address.scheme == "https" or (address.scheme == "http" and is_loopback(host))

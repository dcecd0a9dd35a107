"""Addresses, origins, URLs and networks: strict in what they take, normal in what they give."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Any, Never

from pydantic import (
    BeforeValidator,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError, Url

from gateway.settings.sources import sources_of

_ADDRESS = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>\d{1,5})"
)
# The URL parser repairs tabs, backslashes and missing slashes; a configuration needs no repair.
_HTTP_URL = re.compile(r"https?://[!-\[\]-~]+")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener listens; ``host`` without the brackets of IPv6."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def _refuse(kind: str, reason: str) -> Never:
    raise PydanticCustomError(kind, "{reason}", {"reason": reason})


def parse_address(value: Any) -> Address:
    """``HOST:PORT`` or ``[IPv6]:PORT``; port 0 lets the system choose."""
    if isinstance(value, Address):
        return value
    match = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match["port"]) > 65535:
        _refuse("address", "must be HOST:PORT or [IPv6]:PORT")
    if match["six"] and not _is_ip(match["six"]):
        _refuse("address", "must have an IPv6 address between the brackets")
    return Address(match["six"] or match["host"], int(match["port"]))


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    bare = host.strip("[]")
    return bare == "localhost" or (_is_ip(bare) and ip_address(bare).is_loopback)


def _parse_url(value: Any, *, may_have_query: bool = False) -> Url:
    if not isinstance(value, str) or not _HTTP_URL.fullmatch(value):
        _refuse("url", "must be an absolute http:// or https:// URL")
    try:
        url = Url(value)
    except ValueError:
        # The parser's own error would quote what was written.
        _refuse("url", "must be an absolute http:// or https:// URL with a valid host and port")
    if url.username is not None or url.password is not None:
        _refuse("url", "must not contain a user name or password")
    if may_have_query and url.fragment is not None:
        _refuse("url", "must not contain a fragment")
    if not may_have_query and (url.query is not None or url.fragment is not None):
        _refuse("url", "must not contain a query or fragment")
    return url


def parse_origin(value: Any) -> str:
    """``scheme://host[:port]`` in lower case, without a default port."""
    url = _parse_url(value)
    if url.path not in (None, "/"):
        _refuse("origin", "must be scheme, host and port only: a path prefix is not supported")
    return str(url).removesuffix("/")


def parse_cors_origin(value: Any) -> str:
    if value == "*":
        _refuse(
            "cors_origin",
            "must be an origin: '*' would let every page on the web use a caller's credentials",
        )
    return parse_origin(value)


def parse_issuer_url(value: Any, info: ValidationInfo) -> str:
    """The text as it stands: ``iss`` is compared character by character (OIDC Core section 2)."""
    return _protected(_parse_url(value), value, info)


def parse_endpoint_url(value: Any, info: ValidationInfo) -> str:
    """One of an issuer's addresses, which may have a query (RFC 6749 section 3.2)."""
    return _protected(_parse_url(value, may_have_query=True), value, info)


def _protected(url: Url, value: Any, info: ValidationInfo) -> str:
    is_protected = url.scheme == "https" or is_loopback(url.host or "")
    if not is_protected and not sources_of(info).plain_http_issuers:
        _refuse("https", "must be an https:// URL: plain http is for loopback only")
    return str(value)


def parse_discovery_or_url(value: Any, info: ValidationInfo) -> str:
    if value == "discovery":
        return "discovery"
    return parse_endpoint_url(value, info)


def parse_network(value: Any) -> IPv4Network | IPv6Network:
    """Raises PydanticCustomError also for bits set behind the prefix, and for everybody."""
    if isinstance(value, (IPv4Network, IPv6Network)):
        return value
    try:
        network = ip_network(value) if isinstance(value, str) else None
    except ValueError:
        network = None
    if network is None:
        _refuse("network", "must be a network such as 10.0.0.0/8 or fd00::/8, or one IP address")
    if network.prefixlen == 0:
        _refuse("network", "must not be every address: anybody could then name any client")
    return network


_URL_SCHEMA = {"type": "string", "pattern": r"^https?://[^\s?#@]+$"}
_ENDPOINT_SCHEMA = {"type": "string", "pattern": r"^https?://[^\s#@]+$"}
_ORIGIN_SCHEMA = {"type": "string", "pattern": r"^https?://[^\s/?#@]+/?$"}

ListenAddress = Annotated[
    Address,
    PlainValidator(parse_address),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$"}
    ),
]
Origin = Annotated[str, BeforeValidator(parse_origin), WithJsonSchema(_ORIGIN_SCHEMA)]
CorsOrigin = Annotated[str, BeforeValidator(parse_cors_origin), WithJsonSchema(_ORIGIN_SCHEMA)]
IssuerUrl = Annotated[str, BeforeValidator(parse_issuer_url), WithJsonSchema(_URL_SCHEMA)]
EndpointUrl = Annotated[str, BeforeValidator(parse_endpoint_url), WithJsonSchema(_ENDPOINT_SCHEMA)]
DiscoveryOrUrl = Annotated[
    str,
    BeforeValidator(parse_discovery_or_url),
    WithJsonSchema({"anyOf": [{"const": "discovery"}, _ENDPOINT_SCHEMA]}),
]
Network = Annotated[
    IPv4Network | IPv6Network,
    PlainValidator(parse_network),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "minLength": 2}),
]

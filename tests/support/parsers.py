"""Every parser of the gateway's as a function of bytes, with the refusals that it may answer with.

For the fuzzers: anything else that is raised is a mistake.
"""

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple

from gateway.api import values
from gateway.auth.jwks import read_keys
from gateway.catalogue import CATALOGUE, SIMPLIFIED
from gateway.problems import Problem
from gateway.rules import (
    caching,
    credentials,
    documents,
    forwarded,
    headers,
    ids,
    jose,
    links,
    operations,
    paths,
    prefer,
    progress,
    tracing,
)
from gateway.rules.links import Origins
from gateway.rules.routes import RouteTable
from gateway.settings import InvalidSettings, Sources, parse
from gateway.starts import checked_key


class Parser(NamedTuple):
    parse: Callable[[bytes], Any]
    refusals: tuple[type[Exception], ...] = (Problem,)


_ORIGINS = Origins("https://gateway.test", "http://127.0.0.1:9340", ("http://OLSERVER:9340",))
_BASE = "/rest/serverengine/workflow/jobcreation/1"
_ROUTES = RouteTable((*CATALOGUE, *SIMPLIFIED))
_TRUSTED = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


def _text(data: bytes) -> str:
    return data.decode("latin-1")


def _fields(data: bytes) -> list[tuple[bytes, bytes]]:
    """Header lines as a parser of HTTP leaves them: names are tokens."""
    names = (b"Link", b"Location", b"operationId", b"Connection", b"Content-Disposition", b"ETag")
    return [(names[i % len(names)], line) for i, line in enumerate(data.split(b"\n"))]


def _token(data: bytes) -> None:
    token = jose.parse(_text(data))
    jose.check_header(token.header, ("RS256", "ES256"))


def _path(data: bytes) -> None:
    path, query = paths.origin_form(_text(data))
    paths.canonical(path)
    match = _ROUTES.recognise("GET", path).match()
    ids.of_path(match.parameters)
    ids.of_query(match.endpoint, query)


def _link(data: bytes) -> None:
    kept = links.rewrite_link(_text(data), _ORIGINS, _BASE)
    assert kept is None or ("9340" not in kept or "OLSERVER" not in kept.upper())
    links.rewrite_uri(_text(data), _ORIGINS, _BASE)
    links.links_of(_text(data))


def _settings(data: bytes) -> None:
    parse(data, Path("fuzz.yaml"), Sources(Path("/nowhere"), {}))


def _credentials(data: bytes) -> None:
    first, _, second = _text(data).partition("\n")
    credentials.presented([first], [second] if second else [], login=len(data) % 2 == 0)


def _bodies(data: bytes) -> None:
    document = documents.read(data)
    for endpoint in CATALOGUE:
        if endpoint.body:
            try:
                ids.of_body(endpoint, document)
            except Problem:
                continue


def _caching(data: bytes) -> None:
    text = _text(data)
    caching.asks_anew(text, text)
    caching.directives(text)
    names = ("Cache-Control", "Vary", "Expires", "Date", "Age")
    caching.permission([(name, text) for name in names], 0.0)
    caching.matches(text, '"a"')
    caching.if_match(text, '"a"')


def _patch(data: bytes) -> None:
    values.merged({"a": "b"}, documents.read(data))


PARSERS: dict[str, Parser] = {
    "token": Parser(_token),
    "path": Parser(_path),
    "link": Parser(_link),
    "config": Parser(_settings, (InvalidSettings,)),
    "credentials": Parser(_credentials),
    "values": Parser(values.of_list),
    "values document": Parser(lambda data: values.of_document(documents.read(data))),
    "patch": Parser(_patch),
    "bodies": Parser(_bodies),
    "prefer": Parser(lambda data: prefer.wait_seconds([_text(data)])),
    "idempotency key": Parser(lambda data: checked_key(_text(data))),
    "traceparent": Parser(lambda data: tracing.parse(_text(data))),
    "forwarded": Parser(lambda data: forwarded.client_of("10.0.0.1", _text(data), _TRUSTED)),
    "progress": Parser(progress.percent_of),
    "request id": Parser(lambda data: headers.request_id(_text(data))),
    "operation id": Parser(lambda data: operations.id_in([(b"operationId", data)])),
    "caching": Parser(_caching),
    "answer headers": Parser(lambda data: headers.for_caller(_fields(data), _ORIGINS, _BASE)),
    "request headers": Parser(lambda data: headers.for_upstream(_fields(data))),
    "disposition": Parser(lambda data: headers.content_disposition(_text(data))),
    "keys": Parser(lambda data: read_keys(jose.strict_object(data)), (Problem, ValueError)),
}

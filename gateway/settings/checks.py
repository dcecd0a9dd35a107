"""What one section says about another.

These checks look at the values as written, so that a mistake in one section does not hide those
between the others; they pass over whatever has the wrong shape, which validation reports.
"""

from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from gateway.settings.addresses import parse_address, parse_origin
from gateway.settings.mistakes import Place

Finding = tuple[Place, str]


def cross_check(value: Any, known_endpoints: Collection[str] | None) -> Iterator[Finding]:
    """``known_endpoints`` is None where the catalogue is not at hand."""
    yield from _distinct_listeners(value)
    yield from _upstream_is_not_the_gateway(value)
    yield from _distinct_issuers(value)
    for name, team in _mapping(value, "teams").items():
        yield from _team(("teams", name), team, value)
        yield from _grants(("teams", name), team, known_endpoints)


def _get(value: Any, *steps: str) -> Any:
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _mapping(value: Any, *steps: str) -> Mapping[str, Any]:
    found = _get(value, *steps)
    return found if isinstance(found, dict) else {}


def _texts(value: Any, key: str) -> Iterator[tuple[int, str]]:
    found = _get(value, key)
    for index, item in enumerate(found if isinstance(found, list) else []):
        if isinstance(item, str):
            yield index, item


def _distinct_listeners(value: Any) -> Iterator[Finding]:
    try:
        public = parse_address(_get(value, "listen", "address") or "0.0.0.0:8080")
        admin = parse_address(_get(value, "admin", "address") or "127.0.0.1:9090")
    except ValueError:
        return
    everywhere = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound
    overlap = public.host == admin.host or everywhere & {public.host, admin.host}
    if overlap and public.port == admin.port != 0:
        yield ("admin", "address"), "must have another port than listen.address"


def _upstream_is_not_the_gateway(value: Any) -> Iterator[Finding]:
    try:
        is_same = parse_origin(_get(value, "upstream", "url")) == parse_origin(
            _get(value, "public_url")
        )
    except ValueError:
        return
    if is_same:
        yield ("upstream", "url"), "must not be public_url: the gateway would call itself"


def _distinct_issuers(value: Any) -> Iterator[Finding]:
    seen: set[str] = set()
    for name, issuer in _mapping(value, "issuers").items():
        url = _get(issuer, "issuer")
        if isinstance(url, str) and url in seen:
            yield ("issuers", name, "issuer"), "is the same as that of another issuer"
        elif isinstance(url, str):
            seen.add(url)


def _team(place: Place, team: Any, value: Any) -> Iterator[Finding]:
    issuer = _get(team, "members", "issuer")
    if isinstance(issuer, str) and issuer not in _mapping(value, "issuers"):
        yield (*place, "members", "issuer"), "is not the name of one of issuers"
    credential = _get(team, "credential")
    if isinstance(credential, str) and credential not in _mapping(value, "credentials"):
        yield (*place, "credential"), "is not the name of one of credentials"
    names = _mapping(value, "pipelines")
    for index, pattern in _texts(team, "pipelines"):
        if not any(fnmatchcase(name, pattern) for name in names):
            yield (*place, "pipelines", index), "matches none of pipelines"


def _grants(place: Place, team: Any, known_endpoints: Collection[str] | None) -> Iterator[Finding]:
    grants = _get(team, "allow")
    if known_endpoints is None or not isinstance(grants, list):
        return
    for number, grant in enumerate(grants):
        for index, pattern in _texts(grant, "endpoints"):
            if not any(fnmatchcase(name, pattern) for name in known_endpoints):
                yield (*place, "allow", number, "endpoints", index), "matches no endpoint"

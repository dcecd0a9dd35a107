"""Which endpoint of the catalogue a request names, if any."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from gateway.catalogue import PARAMETERS, Endpoint, Role
from gateway.problems import MethodNotAllowed, UnknownEndpoint
from gateway.rules import paths

_BASES = frozenset({Role.HANDSHAKE, Role.LIST})


@dataclass(frozen=True, slots=True)
class Match:
    """An endpoint and the decoded values of its path parameters."""

    endpoint: Endpoint
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Recognition:
    """The outcome of a look-up. ``label`` is the endpoint's name in metrics and logs.

    It is kept apart from the refusal because a caller must show who it is before it learns
    whether there is such an endpoint, while the refusal is counted under the endpoint's name.
    """

    label: str
    _match: Match | None
    _allow: str | None

    def match(self) -> Match:
        """Raises UnknownEndpoint, or MethodNotAllowed with its ``Allow`` header."""
        if self._match is not None:
            return self._match
        if self._allow is not None:
            raise MethodNotAllowed(
                f"The endpoint answers {self._allow}.", headers={"Allow": self._allow}
            )
        raise UnknownEndpoint("No endpoint of the catalogue has this path: see `olgw routes`.")


_NOTHING = Recognition("unmatched", None, None)


@dataclass(slots=True)
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict)
    parameters: list[tuple[str, re.Pattern[str], "_Node"]] = field(default_factory=list)
    tail: tuple[str, "_Node"] | None = None
    endpoints: dict[str, Endpoint] = field(default_factory=dict)


_PATHS_REMEMBERED = 4096
_SHORT_CHARACTERS = 200


class RouteTable:
    """All endpoints as a tree of path segments; literal segments win over parameters."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._root = _Node()
        for endpoint in endpoints:
            self._add(endpoint)
        self._remembered = lru_cache(_PATHS_REMEMBERED)(self._recognise)

    def _add(self, endpoint: Endpoint) -> None:
        node = self._root
        for segment in endpoint.template.split("/")[1:]:
            node = _descend(node, segment)
        if endpoint.method in node.endpoints:
            raise ValueError(f"two endpoints for {endpoint.method} {endpoint.template}")
        node.endpoints[endpoint.method] = endpoint

    def recognise(self, method: str, raw_path: str) -> "Recognition":
        """What ``raw_path``, which ``paths.canonical`` has accepted, names. Never raises.

        HEAD is answered wherever GET is. Literal segments are compared byte for byte.
        """
        if len(raw_path) > _SHORT_CHARACTERS:
            return self._recognise(method, raw_path)
        return self._remembered(method, raw_path)

    def _recognise(self, method: str, raw_path: str) -> "Recognition":
        found = self._walk(raw_path.split("/")[1:])
        if found is None:
            return _NOTHING
        node, parameters = found
        endpoint = node.endpoints.get(method)
        if endpoint is None and method == "HEAD":
            endpoint = node.endpoints.get("GET")
        if endpoint is None:
            label = next(iter(node.endpoints.values())).name
            return Recognition(label, None, _allow(node.endpoints))
        return Recognition(endpoint.name, Match(endpoint, parameters), None)

    def _walk(self, segments: list[str]) -> tuple[_Node, dict[str, str]] | None:
        if len(segments) > 1 and segments[-1] == "":
            # Clients ask for a service's handshake with a trailing slash; nothing else has one.
            found = _find(self._root, segments[:-1], 0, {})
            if found is None or not _is_base(found[0]):
                return None
            return found
        return _find(self._root, segments, 0, {})


def _is_base(node: _Node) -> bool:
    endpoint = node.endpoints.get("GET")
    return endpoint is not None and endpoint.role in _BASES


def _descend(node: _Node, segment: str) -> _Node:
    if not segment.startswith("{"):
        return node.literals.setdefault(segment, _Node())
    name = segment[1:-1]
    if name == "relPath":
        node.tail = node.tail or (name, _Node())
        return node.tail[1]
    pattern = PARAMETERS[name].pattern
    for known, compiled, child in node.parameters:
        if known == name and compiled.pattern == pattern:
            return child
    child = _Node()
    node.parameters.append((name, re.compile(pattern), child))
    # A number is told from a name by its pattern, so the narrower one is tried first.
    node.parameters.sort(key=lambda parameter: not parameter[1].pattern.startswith("[0-9]"))
    return child


def _find(
    node: _Node, segments: list[str], at: int, values: dict[str, str]
) -> tuple[_Node, dict[str, str]] | None:
    if at == len(segments):
        return (node, values) if node.endpoints else None
    segment = segments[at]
    literal = node.literals.get(segment)
    if literal is not None:
        found = _find(literal, segments, at + 1, values)
        if found is not None:
            return found
    for name, pattern, child in node.parameters:
        value = paths.decode(segment)
        if pattern.fullmatch(value):
            found = _find(child, segments, at + 1, {**values, name: value})
            if found is not None:
                return found
    if node.tail is not None and segment:
        name, child = node.tail
        rest = "/".join(paths.decode(part) for part in segments[at:])
        return child, {**values, name: rest}
    return None


def _allow(endpoints: Mapping[str, Endpoint]) -> str:
    methods = set(endpoints)
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods))

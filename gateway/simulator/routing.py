"""The route table: which method and path reach which function, literal segments first (JAX-RS)."""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from gateway.simulator.call import Call
from gateway.simulator.options import ROLE_DATA, ROLE_MONITOR, ROLE_RESOURCE
from gateway.simulator.wire import PREFIX, Answer

Handler = Callable[[Call], Awaitable[Answer]]
Roles = tuple[str, ...]

ANYBODY: Roles = ()  # who is authenticated
DATA: Roles = (ROLE_DATA,)
RESOURCE: Roles = (ROLE_RESOURCE,)
FILES: Roles = (ROLE_DATA, ROLE_RESOURCE)
WATCHING: Roles = (ROLE_DATA, ROLE_MONITOR)


@dataclass(frozen=True, slots=True)
class Service:
    """``name`` as OL Connect calls it, ``base`` below the prefix."""

    name: str
    base: str


@dataclass(frozen=True, slots=True)
class Route:
    """``path`` below the service's base, with JAX-RS templates; ``roles`` None: no credentials."""

    method: str
    path: str
    service: Service
    handler: Handler
    roles: Roles | None = DATA

    @property
    def template(self) -> str:
        """The whole path with plain ``{name}`` templates."""
        return PREFIX + re.sub(r"\{(\w+):[^}]*\}", r"{\1}", self.service.base + self.path)


class NoRoute(Exception):
    """``allowed`` lists the methods there are for that path, if there are any."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        super().__init__("no route")
        self.allowed = allowed


class Router:
    def __init__(self, routes: Iterable[Route]) -> None:
        self._methods: dict[str, dict[str, Route]] = {}
        self._patterns: dict[str, re.Pattern[str]] = {}
        for route in routes:
            key = _precedence(route)
            self._methods.setdefault(key, {})[route.method] = route
            self._patterns[key] = _pattern(route)
        self._order = sorted(self._methods)

    def match(self, method: str, raw_path: str) -> tuple[Route, dict[str, str]]:
        """Only the best path counts; a method it does not have is not looked for elsewhere.

        Raises NoRoute."""
        for key in self._order:
            if not (found := self._patterns[key].fullmatch(raw_path)):
                continue
            methods = self._methods[key]
            route = methods.get(method) or (methods.get("GET") if method == "HEAD" else None)
            if route is None:
                raise NoRoute(sorted(methods))
            return route, {name: unquote(value) for name, value in found.groupdict().items()}
        raise NoRoute


TEMPLATE_PART = re.compile(r"\{(\w+)(?:: ([^}]+))?\}")


def _pattern(route: Route) -> re.Pattern[str]:
    """A trailing slash is always welcome."""
    text, position = "", 0
    path = PREFIX + route.service.base + route.path
    for part in TEMPLATE_PART.finditer(path):
        text += re.escape(path[position : part.start()]) + f"(?P<{part[1]}>{part[2] or '[^/]+'})"
        position = part.end()
    return re.compile(text + re.escape(path[position:]) + "/?", re.DOTALL)


def _precedence(route: Route) -> str:
    """Sorts literal segments before numbers, numbers before names, names before whole rests."""
    ranks = []
    for segment in (route.service.base + route.path).split("/"):
        part = TEMPLATE_PART.fullmatch(segment)
        if part is None:
            ranks.append("0" + segment)
        else:
            ranks.append({None: "2", ".+": "3"}.get(part[2], "1"))
    return "/".join(ranks)

"""Links of OL Connect led back to the gateway (RFC 8288, RFC 3986), its own address never shown.

Only the text between ``<`` and ``>`` changes; a link that cannot be led back is left out.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from gateway.problems import AmbiguousPath, UpstreamInvalidResponse
from gateway.rules import paths

_DEFAULT_PORTS = {"http": 80, "https": 443}

# Possessive quantifiers keep both patterns linear on hostile input.
_PARAMETER = (
    r"[ \t]*+;[ \t]*+(?:(?P<name>[!#$%&'*+\-.^_`|~0-9A-Za-z]++)"
    r"(?:[ \t]*+=[ \t]*+(?:\"(?P<quoted>(?:[^\"\\]|\\.)*+)\"|(?P<token>[^\s\",;<>]*+)))?+)?+"
)
_TARGET_TEXT = r"[^<>\"\x00-\x20\x7f]*+"
_LINK = re.compile(
    rf"(?P<before>[ \t]*+<)(?P<target>{_TARGET_TEXT})"
    rf"(?P<after>>(?:{re.sub(r'[?]P<[a-z]+>', '?:', _PARAMETER)})*+[ \t]*+)(?=,|\Z)"
)
_PARAMETERS = re.compile(_PARAMETER)
_UNREADABLE = re.compile(r"(?:[^\",]++|\"(?:[^\"\\]|\\.)*+\")*+")
_QUOTED_PAIR = re.compile(r"\\(.)")
_SPLITTING = re.compile(r"[\r\n\0]")
_TARGET = re.compile(_TARGET_TEXT)

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_WITH_AUTHORITY = re.compile(
    r"(?:(?P<scheme>https?):)?//(?:(?P<userinfo>[^/?#\\]*)@)?"
    r"(?P<host>\[[0-9a-f:.]+\]|[^/?#\\@:\[\]]+)(?::(?P<port>[0-9]{0,5}))?(?P<tail>[/?#].*)?",
    re.IGNORECASE | re.ASCII,
)
_IPV4_NUMBERS = re.compile(
    r"(?:0x[0-9a-f]{1,8}|[0-9]{1,11})(?:\.(?:0x[0-9a-f]{1,8}|[0-9]{1,11})){0,3}"
)
_ENCODED_UNRESERVED = re.compile(
    r"%(?:2d|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])", re.IGNORECASE | re.ASCII
)

# One absolute link with one relation: segments in which nothing could be read in another way.
_USUAL = r'<(?:{})({}(?:/[A-Za-z0-9_~\-]+(?:\.[A-Za-z0-9_~\-]+)*)+)>(; ?rel="?[a-z]+"?)'


class Place(NamedTuple):
    """Where a URL points, whatever it is called: a host in one spelling and a port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Origins:
    """The gateway's origin and those of its upstream, compiled for comparing.

    All are absolute URLs such as ``http://OLSERVER:9340``; ``prefix`` is the part of the
    upstream that callers reach under the same path at ``public``.
    """

    public: str
    upstream: str
    aliases: Sequence[str] = ()
    prefix: str = "/rest/serverengine"
    scheme: str = field(init=False, repr=False)
    own: frozenset[tuple[str, str, int]] = field(init=False, repr=False)
    places: frozenset[Place] = field(init=False, repr=False)
    shown: re.Pattern[str] = field(init=False, repr=False)
    needles: frozenset[str] = field(init=False, repr=False)  # without one of them nothing is shown
    usual: re.Pattern[str] = field(init=False, repr=False)  # a link that needs no second look

    def __post_init__(self) -> None:
        own = [_origin(url) for url in (self.upstream, *self.aliases)]
        derived = {
            "public": self.public.rstrip("/"),
            "aliases": tuple(self.aliases),
            "scheme": own[0][0],
            "own": frozenset(own),
            "places": frozenset(Place(_one_spelling(host), port) for _, host, port in own),
            "shown": re.compile("|".join(map(_address_pattern, own)), re.IGNORECASE),
            "needles": frozenset(_needle(origin) for origin in own),
            "usual": _usual(own, self.prefix),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def shows_upstream(self, text: str) -> bool:
        """Whether host and port of the upstream occur, also percent-encoded up to three times."""
        if "\\" in text and self._shows(_QUOTED_PAIR.sub(r"\1", text)):
            return True
        for _ in range(3):
            if "%" not in text:
                break
            if self._shows(text):
                return True
            text = unquote(text)
        return self._shows(text)

    def _shows(self, text: str) -> bool:
        lowered = text.lower()
        for needle in self.needles:
            if needle in lowered:
                return bool(self.shown.search(text))
        return False


def _usual(own: Sequence[tuple[str, str, int]], prefix: str) -> re.Pattern[str]:
    origins = "|".join(re.escape(f"{scheme}://{host}:{port}") for scheme, host, port in own)
    return re.compile(_USUAL.format(origins, re.escape(prefix)))


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError("an origin must be an http(s) URL with a host")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return parts.scheme, host, parts.port or _DEFAULT_PORTS[parts.scheme]


def _address_pattern(origin: tuple[str, str, int]) -> str:
    scheme, host, port = origin
    name = re.escape(host) + r"\.?"
    pattern = rf"{name}(?::|%(?:25)*3a)0*{port}(?![0-9])"
    if port != _DEFAULT_PORTS[scheme]:
        return pattern
    # Without its port a host is a mere word, so it counts only where an authority can stand.
    return rf"{pattern}|(?://|@){name}(?![a-z0-9_.\-]|:[0-9])"


def _needle(origin: tuple[str, str, int]) -> str:
    scheme, host, port = origin
    return host if port == _DEFAULT_PORTS[scheme] else str(port)


def _one_spelling(host: str) -> str:
    """The host without the disguises that resolvers see through: 127.1, 0x7f000001, a final dot."""
    name = unicodedata.normalize("NFKC", unquote(host)).lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return "localhost"
    try:
        address = _ipv4(name) or ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return "localhost" if address.is_loopback or address.is_unspecified else str(address)


def _ipv4(name: str) -> ipaddress.IPv4Address | None:
    """An IPv4 address as inet_aton reads it: decimal, octal, hexadecimal, one to four parts.

    Raises ValueError where the numbers are none.
    """
    if not _IPV4_NUMBERS.fullmatch(name):
        return None
    numbers = [
        int(part, 16 if part[:2] == "0x" else 8 if part[:1] == "0" else 10)
        for part in name.split(".")
    ]
    value = numbers.pop()
    for position, number in enumerate(numbers):
        value += number << (24 - 8 * position)
    return ipaddress.IPv4Address(value)


def rewrite_link(value: str, origins: Origins, base_path: str) -> str | None:
    """One Link field line as a caller may see it; None if no link of it is left.

    ``base_path`` is the upstream path of the request, for relative references. Raises
    UpstreamInvalidResponse for CR, LF and NUL.
    """
    usual = origins.usual.fullmatch(value)
    if usual is not None:
        return f"<{origins.public}{usual[1]}>{usual[2]}"
    _refuse_splitting(value)
    kept = []
    complete = True
    for link in _links(value):
        target = link and _led_back(link["target"], origins, base_path)
        if link is None or target is None or origins.shows_upstream(link["after"]):
            complete = False
            continue
        kept.append(f"{link['before']}{target}{link['after']}")
    if not kept:
        return None
    return ",".join(kept) if complete else ",".join(kept).strip(" \t")


def rewrite_uri(value: str, origins: Origins, base_path: str) -> str | None:
    """A Location or Content-Location as a caller may see it; None if it must be left out."""
    _refuse_splitting(value)
    target = value.strip(" \t")
    return _led_back(target, origins, base_path) if _TARGET.fullmatch(target) else None


def _refuse_splitting(value: str) -> None:
    if _SPLITTING.search(value):
        raise UpstreamInvalidResponse("OL Connect sent a header line with a line break in it.")


def _links(value: str) -> Iterator[re.Match[str] | None]:
    """The links of a field line in order, None for each stretch that is none."""
    position = 0
    while position < len(value):
        link = _LINK.match(value, position)
        yield link
        stretch = link or _UNREADABLE.match(value, position)
        assert stretch is not None  # it matches the empty string too
        if value[stretch.end() : stretch.end() + 1] == '"':
            return  # an unbalanced quote: where the next link begins is anybody's guess
        position = stretch.end() + 1


def _led_back(target: str, origins: Origins, base_path: str) -> str | None:
    absolute = _WITH_AUTHORITY.fullmatch(target)
    if absolute is None:
        if _SCHEME.match(target) or target.startswith("//"):
            return None
        return _public(_resolve(target, base_path), origins)
    scheme = (absolute["scheme"] or origins.scheme).lower()
    host = absolute["host"].lower()
    port = int(absolute["port"] or _DEFAULT_PORTS[scheme])
    plain = absolute["scheme"] is not None and absolute["userinfo"] is None
    if plain and (scheme, host, port) in origins.own:
        return _public(absolute["tail"] or "/", origins)
    if origins.shows_upstream(target):
        return None
    by_another_name = any(
        place.port == port and place.host == _one_spelling(host) for place in origins.places
    )
    return None if by_another_name else target


def _public(reference: str, origins: Origins) -> str | None:
    """The public URL of an upstream path with its query and fragment."""
    path, rest = _split_path(reference)
    # RFC 3986 section 6.2.2.2: the same resource, in the one spelling the gateway accepts. A dot
    # is left alone: an encoded dot segment is refused, not resolved.
    path = _ENCODED_UNRESERVED.sub(lambda octet: unquote(octet[0]), path)
    if path != origins.prefix and not path.startswith(f"{origins.prefix}/"):
        return None
    try:
        paths.canonical(path)
    except AmbiguousPath:
        return None
    if origins.shows_upstream(path + rest):
        return None
    return origins.public + path + rest


def _split_path(reference: str) -> tuple[str, str]:
    path = reference.partition("#")[0].partition("?")[0]
    return path, reference[len(path) :]


def _resolve(reference: str, base_path: str) -> str:
    """A relative reference against the request's path (RFC 3986 section 5.2)."""
    if reference.startswith("/"):
        return reference
    path, rest = _split_path(reference)
    if not path:
        return base_path + rest
    merged = base_path[: base_path.rfind("/") + 1] + path
    segments = merged.removeprefix("/").split("/")
    resolved: list[str] = []
    for segment in segments:
        if segment == "..":
            del resolved[-1:]
        elif segment != ".":
            resolved.append(segment)
    if segments[-1] in {".", ".."}:
        resolved.append("")
    return "/" + "/".join(resolved) + rest


@dataclass(frozen=True, slots=True)
class Link:
    """One link as read: parameter names in lower case, values without their quotes."""

    target: str
    params: tuple[tuple[str, str], ...]

    @property
    def rels(self) -> tuple[str, ...]:
        """The relation types in lower case; only the first ``rel`` counts (RFC 8288 3.3)."""
        for name, value in self.params:
            if name == "rel":
                return tuple(value.lower().split())
        return ()


def links_of(value: str) -> list[Link]:
    """The links of one Link field line; what cannot be read is left out."""
    return [Link(found["target"], _params(found["after"])) for found in _links(value) if found]


def _params(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (found["name"].lower(), found["token"] or _QUOTED_PAIR.sub(r"\1", found["quoted"] or ""))
        for found in _PARAMETERS.finditer(text, 1)
        if found["name"]
    )


def link(target: str, rel: str) -> str:
    """A Link field line with one link; raises ValueError for a target that would break it."""
    if not _TARGET.fullmatch(target):
        raise ValueError("a link's target holds a character that URIs do not have")
    return f'<{target}>; rel="{rel}"'

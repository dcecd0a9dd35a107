"""What may be kept of OL Connect's answers, and how callers are told: RFC 9110, 9111 and 9211."""

import hashlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gateway.rules import http_date

Outcome: TypeAlias = Literal["hit", "miss", "coalesced", "stale", "bypass"]

# A list's elements; a comma within quotes does not end one.
_ELEMENT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"[ \t,]*(?:{_TAG}[ \t]*(?:,[ \t,]*|$))+")
_EACH_TAG = re.compile(_TAG)

_FORBIDDING = frozenset({"no-store", "no-cache", "private"})
# s-maxage says it, too: RFC 9111 section 5.2.2.10.
_NEVER_STALE = frozenset({"must-revalidate", "proxy-revalidate", "s-maxage"})

_LONGEST_SECONDS = 2.0**31  # RFC 9111 section 1.2.2

# The gateway asks for identity, and makes the CORS lines itself: neither varies what is kept.
_HARMLESS_VARIATIONS = frozenset({"accept-encoding", "origin"})


@dataclass(frozen=True, slots=True)
class Permission:
    """What an answer's header says of keeping it.

    For how long at most, counted from its origin, 0 for not at all; whether past that in an
    emergency; and how old the answer was already when it came.
    """

    fresh_seconds: float = math.inf
    stale_allowed: bool = True
    age_seconds: float = 0.0


UNLIMITED = Permission()


def permission(lines: Iterable[tuple[str, str]], now: float) -> Permission:
    """What the header of an answer of ``now`` allows a shared cache."""
    values: dict[str, list[str]] = {}
    for name, value in lines:
        values.setdefault(name.lower(), []).append(value)
    variations = {name for line in values.get("vary", []) for name in _elements(line)}
    age_seconds = _age_seconds(values.get("age", []))
    said = directives(",".join(values.get("cache-control", [])))
    # An encoded body fits only those who accept its encoding.
    fits_all = variations <= _HARMLESS_VARIATIONS and "content-encoding" not in values
    if not fits_all or said.keys() & _FORBIDDING:
        return Permission(0.0, stale_allowed=False, age_seconds=age_seconds)
    # Expires is told by OL Connect's clock, which may be ahead.
    since = max([now, *map(_time, values.get("date", []))])
    fresh_seconds = _fresh_seconds(said, values.get("expires", []), since)
    stale_allowed = not said.keys() & _NEVER_STALE
    if stale_allowed and not age_seconds and math.isinf(fresh_seconds):
        return UNLIMITED  # one for all entries: the most frequent answer takes no memory
    return Permission(fresh_seconds, stale_allowed, age_seconds)


def directives(cache_control: str) -> dict[str, str | None]:
    """The directives by lower-case name, unquoted; of one that is repeated the first counts."""
    found: dict[str, str | None] = {}
    for element in _ELEMENT.findall(cache_control):
        name, equals, argument = element.partition("=")
        # No blank may stand beside the sign: an argument with one is kept as it is, and no number.
        value = argument.rstrip().strip('"') if equals else None
        if value is not None and name[-1:].isspace():
            value = f" {value}"
        found.setdefault(name.strip().lower(), value)
    found.pop("", None)
    return found


def asks_anew(cache_control: str | None, pragma: str | None) -> bool:
    """Whether the caller wants OL Connect asked, whatever is kept (RFC 9111 5.2.1 and 5.4)."""
    if cache_control is None:
        return pragma is not None and "no-cache" in directives(pragma)
    said = directives(cache_control)
    return "no-cache" in said or "no-store" in said or _seconds(said.get("max-age")) == 0


def etag(body: bytes) -> str:
    """A strong validator (RFC 9110 section 8.8.1): other bytes, another tag."""
    return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'


def matches(if_none_match: str, tag: str) -> bool:
    """Weak comparison of ``If-None-Match`` (RFC 9110 13.1.2); a malformed value matches nothing."""
    if if_none_match.strip() == "*":
        return True
    return tag.removeprefix("W/") in {each.removeprefix("W/") for each in _tags(if_none_match)}


def if_match(value: str, tag: str | None) -> bool:
    """Strong comparison of ``If-Match`` (RFC 9110 section 13.1.1); ``tag`` None: nothing exists."""
    if tag is None:
        return False
    if value.strip() == "*":
        return True
    return not tag.startswith("W/") and tag in _tags(value)


def cache_status(outcome: Outcome, ttl_seconds: float, *, anew: bool = False) -> str:
    """The value of ``Cache-Status`` (RFC 9211). ``anew``: the caller had asked for that.

    A miss with time to live left was stored.
    """
    match outcome:
        case "hit":
            return f"olgw; hit; ttl={math.floor(ttl_seconds)}"
        case "stale":
            return "olgw; hit; detail=stale"
        case "bypass":
            return "olgw; fwd=bypass"
        case "coalesced":
            return f"olgw; fwd={_reason(anew)}; collapsed"
        case "miss":
            stored = "; stored" if ttl_seconds > 0 and not anew else ""
            return f"olgw; fwd={_reason(anew)}{stored}"


def _reason(anew: bool) -> str:
    return "request" if anew else "uri-miss"


def _age_seconds(lines: list[str]) -> float:
    """Of several values the first counts, and one that is no number is passed over (5.1)."""
    first = ",".join(lines).partition(",")[0].strip()
    return min(_seconds(first) or 0.0, _LONGEST_SECONDS)


def _fresh_seconds(said: dict[str, str | None], expires: list[str], since: float) -> float:
    """s-maxage before max-age before Expires; what cannot be read is over (RFC 9111 4.2.1, 5.3)."""
    for name in ("s-maxage", "max-age"):
        if name in said:
            seconds = _seconds(said[name])
            return 0.0 if seconds is None else seconds
    return min((max(0.0, _time(text) - since) for text in expires), default=math.inf)


def _time(text: str) -> float:
    """What cannot be read is past."""
    return http_date.unix_time(text) or 0.0


def _seconds(text: str | None) -> float | None:
    # A number of any length is well-formed, but int() refuses more than some thousand digits.
    return float(text) if text is not None and re.fullmatch("[0-9]+", text) else None


def _elements(line: str) -> list[str]:
    return [text for element in line.split(",") if (text := element.strip().lower())]


def _tags(value: str) -> list[str]:
    return _EACH_TAG.findall(value) if _TAGS.fullmatch(value) else []

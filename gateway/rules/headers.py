"""Which header lines pass, in either direction: lists of what may, never of what may not."""

import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import quote

from gateway.problems import (
    HeadersTooLarge,
    MalformedRequest,
    UnsupportedMediaType,
    UpstreamInvalidResponse,
)
from gateway.rules.links import Origins, rewrite_link, rewrite_uri

RawHeaders = Sequence[tuple[bytes, bytes]]

# ``trace_id`` and X-Requested-With are sent by existing clients of OL Connect. Content-Length is
# the transport's: it frames the body. Range is not passed on, so no 206 can come back.
_UPSTREAM = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"content-encoding",
        b"content-language",
        b"content-type",
        b"trace_id",
        b"user-agent",
        b"x-requested-with",
    }
)
_CALLER = frozenset(
    {
        b"allow",
        b"cache-control",
        b"content-disposition",
        b"content-encoding",
        b"content-language",
        b"content-location",
        b"content-security-policy",
        b"content-type",
        b"etag",
        b"expires",
        b"last-modified",
        b"link",
        b"location",
        b"operationid",
        b"retry-after",
        b"vary",
        b"warning",
        b"x-content-set-id",
        b"x-content-type-options",
        b"x-data-set-id",
        b"x-job-set-id",
        b"x-result-type",
    }
)
_CALLER_PREFIXES = (b"ol-", b"x-ol-")
_URI_LINES = frozenset({b"location", b"content-location"})
# Whichever of two values counts would be decided by who reads first. Credentials are not here:
# a second one has a problem code of its own.
_SINGLE = frozenset(
    {
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"host",
        b"idempotency-key",
        b"if-match",
        b"last-event-id",
        b"ol-team",
        b"x-request-id",
    }
)

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_SPLITTING = re.compile(rb"[\r\n\0]")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
# Names in any of their real forms, underscores of container networks included; IPv6 in brackets.
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
_CHARSET = re.compile(rb"charset([^;,]*)", re.IGNORECASE)
_SAME_AS_UTF8 = re.compile(rb"[ \t]*=[ \t]*(\"?)(?:utf-?8|us-ascii)\1[ \t]*", re.IGNORECASE)
_FILENAME = re.compile(
    r";[ \t]*filename[ \t]*=[ \t]*(?:\"(?P<quoted>(?:[^\"\\]|\\.)*+)\"|(?P<token>[^;\"]*))",
    re.IGNORECASE | re.ASCII,
)
_EXTENDED_FILENAME = re.compile(r";[ \t]*filename\*[ \t]*=", re.IGNORECASE | re.ASCII)
_QUOTED_PAIR = re.compile(r"\\(.)")
_LINE_OVERHEAD = len(b": \r\n")
# RFC 8187 section 3.2.1, attr-char beyond letters, digits, '_', '.', '-' and '~'.
_ATTRIBUTE_CHARACTERS = "!#$&+^`|"


def for_upstream(raw_headers: RawHeaders) -> list[tuple[str, str]]:
    """The caller's header lines that go to OL Connect: no credential can be among them."""
    connection = _named_by_connection(raw_headers)
    passed = []
    for name, value in raw_headers:
        lowered = name.lower()
        if lowered in _UPSTREAM and lowered not in connection:
            if _SPLITTING.search(value):
                raise MalformedRequest("A header line holds a line break or NUL.")
            passed.append((name.decode("ascii"), _text(value)))
    return passed


def for_caller(raw_headers: RawHeaders, origins: Origins, base_path: str) -> list[tuple[str, str]]:
    """The header lines of an upstream answer that a caller may see, in their order.

    Link, Location and Content-Location are led back to the gateway, relative ones by
    ``base_path``, the upstream path of the request. Other lines are left out where they show the
    upstream's address. Raises UpstreamInvalidResponse for CR, LF and NUL in a line that passes.
    """
    connection = _named_by_connection(raw_headers)
    passed = []
    for name, value in raw_headers:
        lowered = name.lower()
        if not _may_be_seen(lowered) or lowered in connection:
            continue
        if _SPLITTING.search(value):
            raise UpstreamInvalidResponse("OL Connect sent a header line with a line break in it.")
        text = _for_caller_value(lowered, _text(value), origins, base_path)
        if text is not None:
            passed.append((name.decode("ascii"), text))
    return passed


def names_places(raw_headers: RawHeaders) -> bool:
    """Whether ``for_caller`` heeds the path, by which a place may be named."""
    return any(name.lower() == b"link" or name.lower() in _URI_LINES for name, _ in raw_headers)


def _may_be_seen(lowered: bytes) -> bool:
    if lowered in _CALLER:
        return True
    return lowered.startswith(_CALLER_PREFIXES) and _TOKEN.fullmatch(lowered) is not None


def _for_caller_value(lowered: bytes, text: str, origins: Origins, base_path: str) -> str | None:
    if lowered == b"link":
        return rewrite_link(text, origins, base_path)
    if lowered in _URI_LINES:
        return rewrite_uri(text, origins, base_path)
    if origins.shows_upstream(text):
        return None
    return content_disposition(text) if lowered == b"content-disposition" else text


def _text(value: bytes) -> str:
    # Java servers write header bytes in Latin-1. Surrogate escapes, which aiohttp would make of
    # them, are silently lost when the line is written again.
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _named_by_connection(raw_headers: RawHeaders) -> frozenset[bytes]:
    named: set[bytes] = set()
    for name, value in raw_headers:
        if name.lower() == b"connection":
            named.update(option.strip(b" \t").lower() for option in value.split(b","))
    return frozenset(named)


def content_disposition(value: str) -> str:
    """The same value in ASCII, its file name also as ``filename*`` (RFC 6266 section 4.3)."""
    if value.isascii():
        return value
    plain = _ascii(value)
    filename = _FILENAME.search(value)
    if filename is None or _EXTENDED_FILENAME.search(value):
        return plain
    name = filename["token"]
    if name is None:
        name = _QUOTED_PAIR.sub(r"\1", filename["quoted"])
    return f"{plain}; filename*=UTF-8''{quote(name.strip(), safe=_ATTRIBUTE_CHARACTERS)}"


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    # Accents go, the letters stay; what has no letter becomes an underscore. NFKD is not used:
    # it could make a quotation mark or semicolon of a harmless character.
    letters = (unicodedata.normalize("NFD", character)[0] for character in text)
    return "".join(letter if letter.isascii() else "_" for letter in letters)


def duplicates(raw_headers: RawHeaders) -> None:
    """Raise MalformedRequest where a field that can have one value only comes twice.

    And where Host is none (RFC 9112 section 3.2).
    """
    seen: set[bytes] = set()
    for name, value in raw_headers:
        lowered = name.lower()
        if lowered not in _SINGLE:
            continue
        if lowered in seen:
            parameter = lowered.decode("ascii")
            raise MalformedRequest("A header field was sent more than once.", parameter=parameter)
        if lowered == b"host" and not _HOST.fullmatch(value):
            raise MalformedRequest("The Host field names no host.", parameter="host")
        seen.add(lowered)


def plain_json(raw_headers: RawHeaders) -> None:
    """Raise UnsupportedMediaType unless everybody reads the body's bytes as the same JSON.

    A server that heeds a charset, which JSON has not (RFC 8259 section 11), finds other quotation
    marks in them: in Shift_JIS a backslash can be the second half of a character.
    """
    for name, value in raw_headers:
        lowered = name.lower()
        if lowered == b"content-encoding" and value.lower() != b"identity":
            raise UnsupportedMediaType(
                "This body must be read by the gateway: send it without Content-Encoding.",
                parameter="Content-Encoding",
            )
        if lowered == b"content-type" and not all(
            map(_SAME_AS_UTF8.fullmatch, _CHARSET.findall(value))
        ):
            raise UnsupportedMediaType(
                "This body must be read by the gateway: send it in UTF-8.",
                parameter="Content-Type",
            )


def request_id(value: str) -> str | None:
    """The caller's X-Request-Id if it may be logged and passed on as it is, else None."""
    return value if _REQUEST_ID.fullmatch(value) else None


def within(raw_headers: RawHeaders, max_bytes: int) -> None:
    """Raise HeadersTooLarge where the lines, as sent, take more than ``max_bytes``."""
    size = sum(len(name) + len(value) + _LINE_OVERHEAD for name, value in raw_headers)
    if size > max_bytes:
        raise HeadersTooLarge(f"The header is {size} bytes long; {max_bytes} are accepted.")

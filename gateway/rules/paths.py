"""Request targets with exactly one reading: what is authorised is, byte for byte, what is sent.

Nothing is repaired here. A path that a lenient server could take for another one is refused.
"""

import re
import unicodedata
from urllib.parse import unquote_plus, unquote_to_bytes

from gateway.problems import AmbiguousPath, MalformedRequest

# re.ASCII throughout: without it, re.IGNORECASE lets U+212A pass for a "k" and U+017F for an "s".

# RFC 3986 section 3.3: pchar without ';', which servers cut off as a path parameter.
_PCHAR = r"A-Za-z0-9\-._~!$&'()*+,=:@"
_LAST_OF_SEGMENT = r"[A-Za-z0-9\-_~!$&'()*,=:@]"
_PLAIN_SEGMENT = f"[{_PCHAR}]*{_LAST_OF_SEGMENT}"
_PLAIN = re.compile(f"/(?:{_PLAIN_SEGMENT}(?:/{_PLAIN_SEGMENT})*/?)?")
# An octet that may come encoded: no unreserved character, delimiter, percent sign or control.
_OCTET = r"%(?![01]|2[35def]|3[0-9bf]|4[1-9a-f]|5[0-9acf]|6[1-9a-f]|7[0-9aef])[0-9a-f]{2}"
_WELL_FORMED = re.compile(
    f"/(?:(?:[{_PCHAR}]|{_OCTET})++(?:/(?:[{_PCHAR}]|{_OCTET})++)*+/?)?", re.IGNORECASE | re.ASCII
)

_REFUSALS = tuple(
    (re.compile(pattern, re.IGNORECASE | re.ASCII), detail)
    for pattern, detail in (
        (r"\A(?!/)", "The path must begin with a slash."),
        (r"[^\x00-\x7f]", "The path holds a character outside ASCII; percent-encode its UTF-8."),
        (r"[\x00-\x20\x7f]", "The path holds a space or a control character."),
        (r"[\\;#?]", "The path holds a backslash, semicolon, number sign or question mark."),
        (r"//", "The path holds an empty segment."),
        (f"[^{_PCHAR}/%]", "The path holds a character that must be percent-encoded."),
        (r"%(?![0-9a-f]{2})", "A percent sign in the path must begin two hexadecimal digits."),
        (
            r"%(?:[01][0-9a-f]|7f|2f|5c|3b|25|23|3f)",
            "The path holds a percent-encoded delimiter, percent sign or control character.",
        ),
        (
            r"%(?:2[de]|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])",
            "The path percent-encodes a letter, digit, hyphen, dot, underscore or tilde.",
        ),
    )
)

# What NFKC may make of a harmless-looking character: U+FF0F is a slash, U+2100 is "a/c".
_DELIMITER = re.compile(r"[/\\;%#?\x00-\x1f\x7f]")
_INVISIBLE = frozenset({"Cc", "Cf", "Zl", "Zp"})

_CONTROL_OR_SURROGATE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNFIT_FOR_TARGET = re.compile(r"[\x00-\x20\x7f]")
_ABSOLUTE_FORM = re.compile(
    r"https?://(?:\[[0-9a-f:.]+\]|[a-z0-9\-._~]+)(?::[0-9]{0,5})?(?P<path>/[^?]*)?(?:\?(?P<query>.*))?",
    re.IGNORECASE | re.ASCII,
)


def canonical(raw_path: str) -> None:
    """Raise AmbiguousPath unless every lenient reading of the path is the same resource.

    Lenient: decoded up to three times, backslashes, path parameters and dot segments resolved,
    compatibility characters folded (NFKC), Unicode digits read as numbers, ends trimmed.
    """
    if _PLAIN.fullmatch(raw_path):
        return
    if not _WELL_FORMED.fullmatch(raw_path):
        raise AmbiguousPath(_reason(raw_path))
    # No encoded slash is left, so the decoded path has the segments of the raw one. Handshakes
    # are known to send a trailing slash.
    for segment in decode(raw_path)[1:].removesuffix("/").split("/"):
        _check_segment(segment)


def _reason(raw_path: str) -> str:
    return next(detail for pattern, detail in _REFUSALS if pattern.search(raw_path))


def _check_segment(text: str) -> None:
    reading = text
    if not text.isascii():
        reading = unicodedata.normalize("NFKC", text)
        _check_non_ascii(text, reading)
    if reading.strip() != reading or reading.endswith("."):
        raise AmbiguousPath("A segment of the path begins with a space or ends in a dot or space.")
    # A '+' stays a '+' here, but must not become a dot segment where it is read as a space.
    if not reading.replace("+", " ").strip(" ."):
        raise AmbiguousPath("A segment of the path consists of dots and spaces only.")


def _check_non_ascii(text: str, reading: str) -> None:
    if any(unicodedata.category(character) in _INVISIBLE for character in text):
        raise AmbiguousPath("The path holds an invisible character.")
    if _DELIMITER.search(reading):
        raise AmbiguousPath("The path holds a character that can be read as a delimiter.")
    # Java's Long.parseLong, like Python's int, takes the digits of every script.
    if reading.isascii() or reading.strip("+-_").replace("_", "").isdecimal():
        raise AmbiguousPath("The path holds characters that can be read as ASCII ones.")


def split(raw_path: str) -> tuple[str, ...]:
    """The segments as sent; a trailing slash gives an empty last one."""
    return tuple(raw_path.removeprefix("/").split("/"))


def decode(segment: str) -> str:
    """The text of one raw segment; a '+' stays a '+'. Raises AmbiguousPath if it is not UTF-8."""
    if "%" not in segment:
        return segment
    try:
        return unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError as error:
        raise AmbiguousPath("The percent-encoded bytes of the path are not UTF-8.") from error


def query_values(raw_query: str, name: str) -> list[str]:
    """Every value of one query parameter, in order; '+' is a space, '&' the only separator.

    Raises MalformedRequest where such a value is not sound; other parameters are not looked at.
    """
    if name not in raw_query and "%" not in raw_query and "+" not in raw_query:
        return []
    values = []
    for pair in raw_query.split("&"):
        key, _, value = pair.partition("=")
        if key == name or unquote_plus(key) == name:
            values.append(_query_text(value, name))
    return values


def _query_text(value: str, name: str) -> str:
    if _BROKEN_PERCENT.search(value):
        raise MalformedRequest(
            "A percent sign in the query must begin two hexadecimal digits.", parameter=name
        )
    try:
        text = unquote_to_bytes(value.replace("+", " ")).decode("utf-8")
    except UnicodeError as error:
        raise MalformedRequest("The query parameter is not UTF-8.", parameter=name) from error
    if _CONTROL_OR_SURROGATE.search(text):
        raise MalformedRequest("The query parameter holds a control character.", parameter=name)
    return text


def origin_form(target: str) -> tuple[str, str]:
    """Path and raw query of a request target (RFC 9112 section 3.2), the path not yet checked.

    An absolute-form's authority is dropped: it never chooses where a request goes. Raises
    MalformedRequest for authority-form, asterisk-form, userinfo, other schemes and fragments.
    """
    if "#" in target:
        raise MalformedRequest("A request target must not hold a fragment.")
    if _UNFIT_FOR_TARGET.search(target):
        raise MalformedRequest("The request target holds a space or a control character.")
    if target.startswith("/"):
        path, _, query = target.partition("?")
        return path, query
    absolute = _ABSOLUTE_FORM.fullmatch(target)
    if absolute is None:
        raise MalformedRequest("The request target must be a path or an absolute http(s) URL.")
    return absolute["path"] or "/", absolute["query"] or ""

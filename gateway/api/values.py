"""Name/value lists as the simplified face shows them: one object, every value a string."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

from gateway.cache import Fetched
from gateway.problems import (
    InvalidParameters,
    MalformedRequest,
    NotFound,
    Problem,
    UpstreamInvalidResponse,
)
from gateway.rules import documents
from gateway.rules.links import Origins

Values = dict[str, str]

_LONGEST_MESSAGE = 500
_UNREADABLE = "OL Connect's answer has another form than the documented one."


def of_list(body: bytes) -> Values:
    """OL Connect's ``[{"name": …, "value": …}]``. Of a name that comes twice the last counts.

    Raises UpstreamInvalidResponse for any other form: a value that is no string is not made one.
    """
    listed = answered(body)
    if not isinstance(listed, list):
        raise UpstreamInvalidResponse(_UNREADABLE)
    values: Values = {}
    for each in listed:
        match each:
            case {"name": str(name), "value": str(value)}:
                values[name] = value
            case _:
                raise UpstreamInvalidResponse(_UNREADABLE)
    return values


def as_list(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def to_body(values: Mapping[str, str]) -> bytes:
    """Sorted by name: the same values are the same bytes, hence the same ETag."""
    return to_json(dict(sorted(values.items())))


def of_document(document: Any, *, within: str = "") -> Values:
    """A caller's object. Raises InvalidParameters, naming the member that is no string."""
    for name, value in _members(document, within).items():
        if not isinstance(value, str):
            raise _no_string(within + name, "a string")
    return dict(document)


def merged(current: Mapping[str, str], patch: Any) -> Values:
    """RFC 7396 section 2, where nothing is nested. Raises InvalidParameters as ``of_document``."""
    after = dict(current)
    for name, value in _members(patch, "").items():
        if value is None:
            after.pop(name, None)
        elif isinstance(value, str):
            after[name] = value
        else:
            raise _no_string(name, "a string, or null to remove it")
    return after


def _members(document: Any, within: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise InvalidParameters(
            'Expected an object {"name": "value"}.', parameter=within.rstrip(".") or None
        )
    return document


def _no_string(field: str, expected: str) -> InvalidParameters:
    return InvalidParameters(
        f"{field} must be {expected}: values are never converted.", parameter=field
    )


def answered(body: bytes) -> Any:
    """OL Connect's JSON. Raises UpstreamInvalidResponse."""
    try:
        return documents.read(body)
    except MalformedRequest as error:
        raise UpstreamInvalidResponse(_UNREADABLE) from error


def identifiers(body: bytes) -> list[Any]:
    """The array of ``{"identifiers": […]}``. Raises UpstreamInvalidResponse."""
    match answered(body):
        case {"identifiers": list(found)}:
            return found
    raise UpstreamInvalidResponse(_UNREADABLE)


def succeeded(fetched: Fetched, origins: Origins) -> bytes:
    """The body of a 200. Raises NotFound, or UpstreamInvalidResponse with OL Connect's reason."""
    if fetched.status != 200:
        raise refusal(fetched, origins)
    return fetched.body


def written(fetched: Fetched, origins: Origins) -> None:
    """A write is answered with ``true``, or with nothing. Raises as ``succeeded``."""
    if succeeded(fetched, origins).strip() not in (b"", b"true"):
        raise UpstreamInvalidResponse("OL Connect did not carry out the change.")


def refusal(fetched: Fetched, origins: Origins) -> Problem:
    """What OL Connect's refusal is to a caller who does not know OL Connect."""
    if fetched.status == 404:
        return NotFound()
    message = _message(fetched.body)
    if not message or len(message) > _LONGEST_MESSAGE or origins.shows_upstream(message):
        return UpstreamInvalidResponse(f"OL Connect answered {fetched.status}.")
    return UpstreamInvalidResponse(f"OL Connect answered {fetched.status}: {message}")


def _message(body: bytes) -> str:
    try:
        document = documents.read(body)
    except MalformedRequest:
        return ""
    match document:
        case {"error": {"message": str(message)}} if message.isprintable():
            return message
    return ""

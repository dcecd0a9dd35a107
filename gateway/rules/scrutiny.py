"""What a body may not hold where every object that it names must be known.

OL Connect's documents leave open what its server reads beyond them. Where a team's rights hang on
what a body names, everything that looks like a name of an object must stand where it is checked.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.catalogue import Endpoint, Role
from gateway.model import Kind, Thing
from gateway.problems import InvalidParameters
from gateway.rules import ids

# A body beside a data mapping configuration is the data itself.
_TAKES_DATA = "{dmConfigId}"
_JSON_ROLES = frozenset({Role.START, Role.PREVIEW})

# Free text of the caller's: field values, runtime parameters, name/value lists.
_FREE = frozenset({"parameters", "data", "fields", "properties", "schema"})
_NAMING = re.compile(
    r"config|template|item|record|job|document|contentitem|(?:data|content|document|job)?set",
    re.IGNORECASE,
)
_NEITHER_LETTER_NOR_DIGIT = re.compile(r"[\W_]+")
_ENDINGS = ("id", "ids", "identifier", "identifiers")


def reads_body(endpoint: Endpoint) -> bool:
    """Whether the endpoint takes JSON that OL Connect could read the name of an object from."""
    if endpoint.body or endpoint.role is Role.SEARCH:
        return True
    takes_json = endpoint.method == "POST" and endpoint.role in _JSON_ROLES
    return takes_json and _TAKES_DATA not in endpoint.path


def check(endpoint: Endpoint, document: Any, things: Sequence[Thing]) -> None:
    """Raises InvalidParameters; ``document`` None is an empty body, ``things`` what it names."""
    if endpoint.role is Role.SEARCH:
        return  # whatever is found is filtered
    for place, key in _names(document, ""):
        if place not in endpoint.body:
            raise InvalidParameters(
                f"What {key} names here cannot be checked to be the team's; leave it out.",
                parameter=place,
            )
    if endpoint.starts:
        _check_input(endpoint, document, things)


def _names(node: Any, place: str) -> Iterator[tuple[str, str]]:
    """Place, as a selector says it, and key of everything that may name an object."""
    if isinstance(node, list):
        for element in node:
            yield from _names(element, f"{place}[]")
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in _FREE:
            continue
        step = key if key.isidentifier() else repr(key)  # no key passes for a selector
        inner = f"{place}.{step}" if place else step
        if _is_naming(key):
            yield from ((found, key) for found in _scalars(value, inner))
        yield from _names(value, inner)


def _is_naming(key: str) -> bool:
    # As the most lenient reader would: without regard to case, width, blanks and punctuation.
    folded = unicodedata.normalize("NFKC", key).upper().lower()
    name = _NEITHER_LETTER_NOR_DIGIT.sub("", folded)
    return name.endswith(_ENDINGS) or bool(_NAMING.fullmatch(name.removesuffix("s")))


def _scalars(value: Any, place: str) -> Iterator[str]:
    if isinstance(value, list):
        for element in value:
            yield from _scalars(element, f"{place}[]")
    elif isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        yield place


def _check_input(endpoint: Endpoint, document: Any, things: Sequence[Thing]) -> None:
    """A start that names no input would take what a preset selects out of everybody's objects."""
    kinds = set(endpoint.body.values()) - {Kind.PRESET}
    if not kinds:
        return
    if endpoint.result is None:
        _check_steps(document)
        return
    takes_data = Kind.DATA_RECORD in kinds and isinstance(document, dict) and "data" in document
    if not takes_data and not any(thing.kind in kinds for thing in things):
        raise InvalidParameters("Name the objects that this is to start from.")


def _check_steps(document: Any) -> None:
    """Each step of an All-In-One takes what the one before it left, or names its input."""
    fed = False
    for step, input_ in ids.STEP_INPUTS.items():
        part = document.get(step) if isinstance(document, dict) else None
        if part is None:
            continue
        if not fed and not part.get(input_):
            raise InvalidParameters(f"{step} must name its input.", parameter=f"{step}.{input_}")
        fed = True

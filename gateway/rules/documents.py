"""JSON bodies that must be understood: read strictly, and the ids in them found or filtered.

A selector says where ids stand: ``jobs[].id``, ``identifiers[]``, ``[][].identifier``.
"""

import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.problems import InvalidParameters, MalformedRequest, UpstreamInvalidResponse

MAX_DEPTH = 64
MAX_TEXT_BYTES = 1 << 20
_TOO_DEEP = f"The JSON body is nested more than {MAX_DEPTH} levels deep."

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_SELECTOR = re.compile(r"(?:\w+|(?=\[))(?:\[\])*(?:\.\w+(?:\[\])*)*", re.ASCII)
_SELECTOR_STEP = re.compile(r"\w+|\[\]", re.ASCII)
_DECIMAL_ID = re.compile(r"0|[1-9][0-9]{0,18}")
_END_OF_IDS = 10**19
# What Java's or Python's integer parsers would take: signs, blanks, underscores, any digits.
_NUMBER_LIKE = re.compile(r"\s*[+\-\u2212]?\d[\d_]*\s*")
_UNFIT_FOR_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_TEXT_SEPARATOR = re.compile(r"[\s,;]+")

_ELEMENTS: Final = "[]"
_GONE: Final = object()


def read(body: bytes) -> Any:
    """The value of a JSON body (RFC 8259, I-JSON's rules); MalformedRequest says what is wrong."""
    if body.startswith(_BYTE_ORDER_MARK):
        raise MalformedRequest("The JSON body must not begin with a byte order mark.")
    try:
        document = _DECODER.decode(body.decode("utf-8"))
        if _SURROGATE_ESCAPE.search(body):
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeError as error:
        raise MalformedRequest("The JSON body is not UTF-8, or names half a character.") from error
    except json.JSONDecodeError as error:
        raise MalformedRequest(
            f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from error
    except RecursionError as error:
        raise MalformedRequest(_TOO_DEEP) from error
    except ValueError as error:  # int() of more digits than it accepts
        raise MalformedRequest("The JSON body holds a number with too many digits.") from error
    _check_depth(document)
    return document


def _check_depth(document: Any) -> None:
    level = [document] if isinstance(document, dict | list) else []
    for _ in range(MAX_DEPTH):
        if not level:
            return
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) is dict or type(child) is list
        ]
    if level:
        raise MalformedRequest(_TOO_DEEP)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedRequest("A JSON object of the body names a key twice.")
    return members


def _no_constant(_: str) -> Any:
    raise MalformedRequest("NaN and Infinity are not JSON.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise MalformedRequest("The JSON body holds a number that is out of range.")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
)


@dataclass(frozen=True, slots=True)
class Selector:
    """Where ids stand in a document: keys joined by dots, ``[]`` for every element of an array.

    Raises ValueError for a text that is none.
    """

    text: str
    steps: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not _SELECTOR.fullmatch(self.text):
            raise ValueError(f"not a selector: {self.text!r}")
        object.__setattr__(self, "steps", tuple(_SELECTOR_STEP.findall(self.text)))


class _MisfitError(Exception):
    """The document has another shape than the selector; the path leads to where."""

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.trail: list[str | int] = []

    def path(self) -> str:
        text = ""
        for step in reversed(self.trail):
            text += f"[{step}]" if isinstance(step, int) else f".{step}"
        return text.removeprefix(".")


def find(document: Any, selector: Selector, *, names: bool = False) -> list[str]:
    """The ids a selector finds, as text, in order; nothing where a key is absent.

    ``names`` also lets in strings that are not numbers. Raises InvalidParameters, naming the
    place, for another shape than the selector's and for what is no id.
    """
    found: list[str] = []
    try:
        _collect(document, selector.steps, 0, names, found)
    except _MisfitError as misfit:
        raise InvalidParameters(
            f"Expected {misfit.expected}.", parameter=misfit.path() or None
        ) from misfit
    return found


def _collect(
    node: Any, steps: tuple[str, ...], position: int, names: bool, found: list[str]
) -> None:
    if position == len(steps):
        found.append(_id(node, names))
        return
    for step, child in _children(node, steps[position]):
        try:
            _collect(child, steps, position + 1, names, found)
        except _MisfitError as misfit:
            misfit.trail.append(step)
            raise


def _children(node: Any, step: str) -> Iterable[tuple[str | int, Any]]:
    if step == _ELEMENTS:
        return enumerate(_array(node))
    members = _object(node)
    return ((step, members[step]),) if step in members else ()


def _array(node: Any) -> list[Any]:
    if type(node) is not list:
        raise _MisfitError("an array")
    return node


def _object(node: Any) -> dict[str, Any]:
    if type(node) is not dict:
        raise _MisfitError("an object")
    return node


def _id(value: Any, names: bool) -> str:
    if type(value) is int and 0 <= value < _END_OF_IDS:
        return str(value)
    if type(value) is not str:
        raise _MisfitError("an id: a whole number of at most 19 digits, or a string")
    if _DECIMAL_ID.fullmatch(value):
        return value
    # A string that only OL Connect would read as a number names another object than it says.
    if not names or _NUMBER_LIKE.fullmatch(value):
        raise _MisfitError("an id in its plain decimal form")
    if value.strip() != value or not value or _UNFIT_FOR_NAME.search(value):
        raise _MisfitError("a name without control characters or blanks around it")
    return value


def is_plain(text: str, *, names: bool) -> bool:
    """Whether ``text`` is an id that every reader takes for the same, or with ``names`` a name."""
    return bool(_DECIMAL_ID.fullmatch(text)) or (names and not is_number_like(text))


def is_number_like(text: str) -> bool:
    """Whether some integer parser would take ``text``."""
    return _NUMBER_LIKE.fullmatch(text) is not None


def keep(document: Any, selector: Selector, predicate: Callable[[str], bool]) -> Any:
    """A copy without the elements of the innermost ``[]`` whose id the predicate refuses.

    An element without an id goes too. An array inside another that loses all its elements is
    removed with them. Raises UpstreamInvalidResponse for another shape than the selector's (what
    is filtered are answers), ValueError for a selector without ``[]``.
    """
    if _ELEMENTS not in selector.steps:
        raise ValueError("only elements of arrays can be filtered")
    innermost = len(selector.steps) - 1 - selector.steps[::-1].index(_ELEMENTS)
    sieve = _Sieve(selector.steps, selector.steps.index(_ELEMENTS), innermost, predicate)
    try:
        return sieve.filtered(document, 0)
    except _MisfitError as misfit:
        raise UpstreamInvalidResponse(
            "OL Connect sent a list of another form than the documented one."
        ) from misfit


@dataclass(frozen=True, slots=True)
class _Sieve:
    steps: tuple[str, ...]
    outermost: int
    innermost: int
    predicate: Callable[[str], bool]

    def filtered(self, node: Any, position: int) -> Any:
        step = self.steps[position]
        if step != _ELEMENTS:
            members = _object(node)
            if step not in members:
                return node
            child = self.filtered(members[step], position + 1)
            return _GONE if child is _GONE else {**members, step: child}
        if position == self.innermost:
            left = [element for element in _array(node) if self._passes(element)]
        else:
            children = (self.filtered(element, position + 1) for element in _array(node))
            left = [child for child in children if child is not _GONE]
        return left if left or not node or position == self.outermost else _GONE

    def _passes(self, element: Any) -> bool:
        ids: list[str] = []
        _collect(element, self.steps, self.innermost + 1, True, ids)
        return bool(ids) and all(map(self.predicate, ids))


def ids_in_text(body: bytes) -> list[str]:
    """The decimal ids of a text answer, apart by commas, semicolons or blanks; [] if it is none.

    A body over ``MAX_TEXT_BYTES`` is not looked at.
    """
    if len(body) > MAX_TEXT_BYTES or not body.isascii():
        return []
    ids = _TEXT_SEPARATOR.split(body.decode("ascii").strip())
    return ids if all(map(_DECIMAL_ID.fullmatch, ids)) else []

"""YAML 1.2 into plain values with the position of every key, bounded in size and depth.

The text is composed by ruamel.yaml but not constructed by it: its nodes know where each key and
value stands, and a key given twice does not hide the mistakes that follow it.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from gateway.settings.mistakes import Place, Position

Flaw = tuple[Position, Place, str]

MAX_DEPTH = 32
MAX_VALUES = 50_000
"""Aliases are counted each time they are used, so that a few lines cannot stand for billions."""

_KNOWN_TAGS = {
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "map", "seq", "timestamp", "merge", "value")
}
# The core schema of YAML 1.2.2, section 10.3.2; what it does not name is text.
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,30}")
_OTHER_BASE = re.compile(r"0o[0-7]{1,40}|0x[0-9a-fA-F]{1,32}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# The parser's words quote single characters and token names, but also aliases and tags, which
# are what a password without quotes looks like when it begins with * or !.
_QUOTED = re.compile(r"""'(?!<[a-z ]+>'|[^\w\s]')[^']*'|"[^"]*\"""")


class Unreadable(Exception):
    """The text is no usable YAML at all."""

    def __init__(self, position: Position, message: str) -> None:
        super().__init__(message)
        self.position = position
        self.message = message


@dataclass(slots=True)
class Document:
    """``positions`` has the key's position for a mapping's entry, the item's for a list's.

    ``flaws`` are what can be told without knowing what the values are for.
    """

    value: Any = None
    positions: dict[Place, Position] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)
    count: int = 0


def read(content: bytes) -> Document:
    """Raises Unreadable."""
    document = Document()
    node = _compose(_decode(content))
    if node is None:
        raise Unreadable((1, 1), "the configuration is empty")
    if not isinstance(node, MappingNode):
        raise Unreadable(_position(node), "the configuration must be a mapping of keys to values")
    document.positions[()] = _position(node)
    document.value = _plain(node, (), document)
    return document


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", errors="replace")
        raise Unreadable(_end_of(before), "the configuration is not UTF-8 text") from None


def _end_of(text: str) -> Position:
    return text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1


def _compose(text: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = MAX_DEPTH
    try:
        # A reused anchor is legal YAML; the library would warn about it on stderr.
        yaml.composer.warn_double_anchors = False
        node: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        raise Unreadable(_position_of_error(error), _words_of(error)) from None
    except ReaderError as error:
        position = _end_of(text[: error.position])
        raise Unreadable(position, "a control character is not allowed in YAML") from None
    except Exception:  # the parser answers some broken escapes and tags with other exceptions
        raise Unreadable((1, 1), "the configuration is not valid YAML") from None
    return node


def _position(node: Node) -> Position:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _position_of_error(error: MarkedYAMLError) -> Position:
    mark = error.problem_mark or error.context_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _words_of(error: MarkedYAMLError) -> str:
    problem = str(error.problem or error.context or "syntax error")
    if "\\t" in problem or "\t" in problem:
        return "YAML: a tab cannot be used for indentation, only spaces"
    if "maximum depth" in problem:
        return f"YAML: nested more than {MAX_DEPTH} levels deep"
    if "undefined alias" in problem:
        return "YAML: an alias without an anchor; text that begins with * needs quotes"
    if "mapping values" in problem:
        return "YAML: a second colon here; text with ': ' inside or : at its end needs quotes"
    if "another document" in problem:
        return "YAML: only one document is expected"
    return "YAML: " + " ".join(_QUOTED.sub("something else", problem).split())


def _plain(node: Node, place: Place, document: Document) -> Any:
    document.count += 1
    if document.count > MAX_VALUES:
        message = f"the configuration, its aliases written out, has over {MAX_VALUES} values"
        raise Unreadable(_position(node), message)
    if len(place) > MAX_DEPTH:
        raise Unreadable(_position(node), f"an alias leads more than {MAX_DEPTH} levels deep")
    if node.tag not in _KNOWN_TAGS:
        document.flaws.append((_position(node), place, "YAML tags (!) are not supported"))
    if isinstance(node, MappingNode):
        return _mapping(node, place, document)
    if isinstance(node, SequenceNode):
        return [_item(item, (*place, index), document) for index, item in enumerate(node.value)]
    assert isinstance(node, ScalarNode)
    return _scalar(node, place, document)


def _item(node: Node, place: Place, document: Document) -> Any:
    document.positions[place] = _position(node)
    return _plain(node, place, document)


def _mapping(node: MappingNode, place: Place, document: Document) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _key(key_node, place, document)
        if key is None:
            continue
        if key in values:
            document.flaws.append(_given_twice(key_node, value_node, (*place, key), document))
            continue
        document.positions[(*place, key)] = _position(key_node)
        values[key] = _plain(value_node, (*place, key), document)
    return values


def _given_twice(key: Node, value: Node, place: Place, document: Document) -> Flaw:
    first_line, _ = document.positions[place]
    if isinstance(value, ScalarNode) and not value.value:
        # The key may be none: "{hunter2, hunter2}" is a mapping with two keys.
        message = f"a key is given twice here, first in line {first_line}"
        return _position(key), place[:-1], message
    return _position(key), place, f"is given twice, first in line {first_line}"


def _key(node: Node, place: Place, document: Document) -> str | None:
    key = _scalar(node, place, document) if isinstance(node, ScalarNode) else None
    if isinstance(key, str):
        return key
    document.flaws.append((_position(node), place, "a key must be text (numbers need quotes)"))
    return None


def _scalar(node: ScalarNode, place: Place, document: Document) -> Any:
    text = str(node.value)
    if _SURROGATE.search(text):
        flaw = "half of a UTF-16 surrogate pair is not a character"
        document.flaws.append((_position(node), place, flaw))
        return ""
    return text if node.style else resolve_plain(text)


def resolve_plain(text: str) -> str | int | float | bool | None:
    """What a scalar without quotes means: YAML 1.2, where ``no`` and ``12:30`` are text."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _SPECIAL_FLOAT.fullmatch(text):
        return float(text.replace(".", "", 1))
    return text

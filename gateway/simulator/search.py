"""Finding entities by rules, in both generations of the search body (before and since 2021.1)."""

import fnmatch
import itertools
from collections.abc import Callable
from typing import Any

from gateway.simulator.engine import Engine
from gateway.simulator.entities import Entity, Kind
from gateway.simulator.errors import Refusal

KINDS = {
    "DATARECORDS": Kind.DATA_RECORD,
    "DATASETS": Kind.DATA_SET,
    "CONTENTITEMS": Kind.CONTENT_ITEM,
    "CONTENTSETS": Kind.CONTENT_SET,
    "JOBS": Kind.JOB,
    "JOBSETS": Kind.JOB_SET,
}

Compare = Callable[[Any, Any], bool]
COMPARISONS: dict[str, Compare] = {
    "EQ": lambda have, want: bool(have == want),
    "NE": lambda have, want: bool(have != want),
    "LT": lambda have, want: bool(have < want),
    "GT": lambda have, want: bool(have > want),
    "LTE": lambda have, want: bool(have <= want),
    "GTE": lambda have, want: bool(have >= want),
    "STARTSWITH": lambda have, want: str(have).startswith(str(want)),
    "ENDSWITH": lambda have, want: str(have).endswith(str(want)),
    "CONTAINS": lambda have, want: str(want) in str(have),
    "LIKE": lambda have, want: _like(str(have), str(want)),
    "NLIKE": lambda have, want: not _like(str(have), str(want)),
}
ORDERING = ("LT", "GT", "LTE", "GTE")
ANYTHING: dict[str, Any] = {"rules": []}
OLDER_NAMES = {
    "EQUAL": "EQ",
    "NOTEQUAL": "NE",
    "LESS": "LT",
    "GREAT": "GT",
    "LESSEQUAL": "LTE",
    "GREATEQUAL": "GTE",
}
# Name of the condition over all rules: any of them instead of all, and the whole turned round.
JUNCTIONS = {
    "AND": (False, False),
    "OR": (True, False),
    "ALL": (False, False),
    "ANY": (True, False),
    "NOTALL": (False, True),
    "NOTANY": (True, True),
}


def find(engine: Engine, body: Any) -> list[list[dict[str, Any]]]:
    """JSON Identifier Lists (with Sort Key): a list per group.

    Raises Refusal 500 for anything that is not a search."""
    try:
        return _find(engine, body)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Refusal(500, "Server error or Invalid JSON structure specified") from error


def _find(engine: Engine, body: Any) -> list[list[dict[str, Any]]]:
    search = _Search(engine)
    found = [
        entity
        for entity in engine.entities.all(KINDS[body["entity"]])
        if _is_in_sets(entity, body) and search.matches(entity, body.get("search") or ANYTHING)
    ]
    sorting, grouping = body.get("sort") or [], body.get("group") or []
    for key in reversed(sorting):
        found.sort(key=search.sort_value(key), reverse=key.get("order") == "DESC")

    def group_of(entity: Entity) -> list[str]:
        return [search.named(entity, key) for key in grouping]

    def entry(entity: Entity) -> dict[str, Any]:
        sort_key = "|".join(search.named(entity, key) for key in sorting)
        return {"identifier": entity.id, "sortkey": sort_key}

    if grouping:
        found.sort(key=group_of)
    return [[entry(each) for each in group] for _, group in itertools.groupby(found, group_of)]


def _is_in_sets(entity: Entity, body: dict[str, Any]) -> bool:
    """The restriction to sets: of members by their set, of sets by themselves."""
    sets = body.get("setIds") or ()
    return not sets or (entity.parent or entity.id) in [int(number) for number in sets]


class _Search:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def matches(self, entity: Entity, rule: dict[str, Any]) -> bool:
        if "rules" not in rule:
            return self._matches_one(entity, rule)
        any_will_do, turned = JUNCTIONS[rule.get("operator") or rule.get("condition") or "AND"]
        results = [self.matches(entity, each) for each in rule["rules"]]
        found = any(results) if any_will_do else all(results)
        return found != turned

    def _matches_one(self, entity: Entity, rule: dict[str, Any]) -> bool:
        kind = str(rule.get("ruleType") or rule["type"]).upper()
        if kind in ("IN", "NOT IN"):
            return _is_in(str(entity.parent), rule["value"]) == (kind == "IN")
        have = self._value(entity, kind, str(rule.get("fieldName") or rule.get("name") or ""))
        if have is None:
            return False
        condition = str(rule["condition"])
        want = rule["value1"]["value"] if "value1" in rule else rule["value"]
        if condition in ("IN", "NOT IN"):
            return _is_in(have, want) == (condition == "IN")
        condition = OLDER_NAMES.get(condition, condition)
        compare = COMPARISONS[condition]
        if condition in ORDERING:
            return compare(*_comparable(have, str(want)))
        return compare(have, str(want))

    def _value(self, entity: Entity, kind: str, name: str) -> str | None:
        if kind == "VALUE":
            return self._record_values(entity).get(name)
        if kind == "PROPERTY":
            return entity.properties.get(name)
        if kind == "DOCLENGTH":
            return "1"  # every content item has one page here
        if kind == "TEMPLATENAME":
            return entity.template
        if kind == "FINISHING":
            return ""
        raise ValueError(kind)

    def _record_values(self, entity: Entity) -> dict[str, Any]:
        """A content item is found by its record's values."""
        if entity.kind != Kind.CONTENT_ITEM:
            return entity.values
        record = self._engine.entities.find(Kind.DATA_RECORD, entity.source)
        return record.values if record else {}

    def named(self, entity: Entity, key: Any) -> str:
        """The value that a sort or group key names, empty if there is none."""
        if isinstance(key, str):
            key = {"type": "value", "name": key}
        kind, name = str(key.get("type") or "value").upper(), str(key["name"])
        return self._value(entity, kind, name) or ""

    def sort_value(self, key: dict[str, Any]) -> Callable[[Entity], Any]:
        if key.get("numeric") is not True:
            return lambda entity: self.named(entity, key)
        return lambda entity: float(self.named(entity, key) or 0)


def _comparable(have: str, want: str) -> tuple[Any, Any]:
    """As numbers where both are, else as text."""
    try:
        return float(have), float(want)
    except ValueError:
        return have, want


def _is_in(have: str, wanted: Any) -> bool:
    values = wanted if isinstance(wanted, list) else str(wanted).split(",")
    return have in [str(value).strip() for value in values]


def _like(have: str, pattern: str) -> bool:
    """SQL's LIKE: ``%`` for any text, ``_`` for one character."""
    return fnmatch.fnmatchcase(have, pattern.replace("%", "*").replace("_", "?"))

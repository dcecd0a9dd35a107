"""entity/find in both generations of its body."""

from typing import Any

import pytest

from gateway.simulator.data import create_data_set, row_of
from gateway.simulator.engine import Engine
from gateway.simulator.errors import Refusal
from gateway.simulator.options import Options
from gateway.simulator.search import find


@pytest.fixture
def engine() -> Engine:
    engine = Engine(Options(), lambda: 0.0)
    rows = [
        {"Name": "Ann", "City": "Bern", "Age": "9"},
        {"Name": "Bob", "City": "Rome", "Age": "10"},
        {"Name": "Cyd", "City": "Bern", "Age": "007"},
    ]
    create_data_set(engine, [row_of(row) for row in rows]).properties["state"] = "new"
    create_data_set(engine, [row_of({"Name": "Dan", "City": "Oslo"})])
    return engine


def ids(engine: Engine, **body: Any) -> list[int]:
    body.setdefault("entity", "DATARECORDS")
    return [each["identifier"] for group in find(engine, body) for each in group]


def older(*rules: tuple[str, str, str, Any], operator: str = "AND") -> dict[str, Any]:
    names = ("type", "name", "condition", "value")
    listed = [dict(zip(names, rule, strict=True)) for rule in rules]
    return {"operator": operator, "rules": listed}


def newer(condition: str, *rules: tuple[str, str, str, Any]) -> dict[str, Any]:
    listed = [
        {"ruleType": kind, "fieldName": name, "condition": how, "value1": {"value": value}}
        for kind, name, how, value in rules
    ]
    return {"ruleType": "RULESET", "condition": condition, "rules": listed}


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ("EQUAL", "9", [1]),
        ("NOTEQUAL", "9", [2, 3]),
        ("LESS", "10", [1, 3]),
        ("GREAT", "9", [2]),
        ("LESSEQUAL", "9", [1, 3]),
        ("GREATEQUAL", "9", [1, 2]),
        ("STARTSWITH", "00", [3]),
        ("ENDSWITH", "0", [2]),
        ("CONTAINS", "0", [2, 3]),
        ("LIKE", "0%", [3]),
        ("NLIKE", "0%", [1, 2]),
        ("IN", "9,10", [1, 2]),
        ("NOT IN", ["9", "10"], [3]),
    ],
)
def test_older_conditions(engine: Engine, condition: str, value: Any, expected: list[int]) -> None:
    assert ids(engine, search=older(("value", "Age", condition, value))) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [("ALL", [1]), ("ANY", [1, 2, 3]), ("NOTALL", [2, 3, 4]), ("NOTANY", [4])],
)
def test_newer_junctions(engine: Engine, condition: str, expected: list[int]) -> None:
    rules = [("VALUE", "City", "EQ", "Bern"), ("VALUE", "Age", "GTE", "9")]
    assert ids(engine, search=newer(condition, *rules)) == expected


def test_rules_nest(engine: Engine) -> None:
    bern = newer("ALL", ("VALUE", "City", "EQ", "Bern"))
    rome = newer("ALL", ("VALUE", "City", "EQ", "Rome"))
    either = {"ruleType": "RULESET", "condition": "ANY", "rules": [bern, rome]}
    assert ids(engine, search=either) == [1, 2, 3]


def test_properties_sets_and_everything(engine: Engine) -> None:
    rule = newer("ALL", ("PROPERTY", "state", "EQ", "new"))
    assert ids(engine, entity="DATASETS", search=rule) == [1]
    assert ids(engine, search=older(("IN", "", "", 2))) == [4]
    assert ids(engine, search=older(("NOT IN", "", "", "2"))) == [1, 2, 3]
    assert ids(engine, setIds=[2]) == [4]
    assert ids(engine) == [1, 2, 3, 4]


def test_sorting_and_grouping(engine: Engine) -> None:
    by_age = {"type": "value", "name": "Age", "numeric": True, "order": "DESC"}
    by_city = {"type": "value", "name": "City", "order": "ASC"}
    assert ids(engine, sort=[by_city, by_age]) == [1, 3, 4, 2]
    found = find(engine, {"entity": "DATARECORDS", "sort": [by_age], "group": [by_city]})
    assert found == [
        [{"identifier": 1, "sortkey": "9"}, {"identifier": 3, "sortkey": "007"}],
        [{"identifier": 4, "sortkey": ""}],
        [{"identifier": 2, "sortkey": "10"}],
    ]


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"entity": "NOTHING"},
        {"entity": "DATASETS", "search": "x"},
        {"entity": "DATASETS", "search": older(("unknown", "a", "EQUAL", "1"))},
        {"entity": "DATARECORDS", "search": older(("value", "Age", "ROUGHLY", "1"))},
        {"entity": "DATARECORDS", "search": older(("value", "Age", "EQUAL", "1"), operator="X")},
    ],
)
def test_what_is_no_search(engine: Engine, body: Any) -> None:
    with pytest.raises(Refusal) as refused:
        find(engine, body)
    assert refused.value.status == 500
    assert refused.value.message == "Server error or Invalid JSON structure specified"


async def test_over_http(api: Any) -> None:
    await api.content_set()
    search = newer("ALL", ("VALUE", "FirstName", "EQ", "Bob"))
    body = {"entity": "CONTENTITEMS", "search": search}
    assert (await api("PUT", "/entity/find", json=body)).json == [
        [{"identifier": 2, "sortkey": ""}]
    ]
    template = older(("templatename", "", "EQUAL", "letter-ol.OL-template"))
    reply = await api("PUT", "/entity/find", json={"entity": "CONTENTSETS", "search": template})
    assert reply.json[0][0]["identifier"] == 1
    length = older(("doclength", "", "GREAT", "1"), ("finishing", "", "EQUAL", "x"), operator="OR")
    reply = await api("PUT", "/entity/find", json={"entity": "CONTENTITEMS", "search": length})
    assert reply.json == []
    assert (await api("PUT", "/entity/find", data=b"{")).status == 500

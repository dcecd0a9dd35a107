"""JSON bodies read strictly, ids found by selector, lists filtered by id."""

import json
from time import thread_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.problems import InvalidParameters, MalformedRequest, UpstreamInvalidResponse
from gateway.rules.documents import MAX_DEPTH, Selector, find, ids_in_text, keep, read

JOB_SET = "jobs[].segments[].documentsets[].documents[].documentpages[].contentitem"


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"identifiers":[1,2],"createOnly":true}', {"identifiers": [1, 2], "createOnly": True}),
        (b' [1.5, "Z\xc3\xbcrich", null] ', [1.5, "Zürich", None]),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'{"a":{"a":1},"b":{"a":2}}', {"a": {"a": 1}, "b": {"a": 2}}),
        (b"12345678901234567890123", 12345678901234567890123),
    ],
)
def test_json_is_read(body: bytes, expected: Any) -> None:
    assert read(body) == expected


def test_the_depth_is_bounded() -> None:
    read(nested(MAX_DEPTH))
    with pytest.raises(MalformedRequest, match="64 levels"):
        read(nested(MAX_DEPTH + 1))
    with pytest.raises(MalformedRequest, match="64 levels"):
        read(b'{"a":' * 65 + b"1" + b"}" * 65)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"\n{]", r"line 2, column 2"),
        (b"{}{}", "not JSON"),
        (b"[1,]", "not JSON"),
        (b"['a']", "not JSON"),
        (b'["\x01"]', "not JSON"),
        (b'{"a":1,"a":1}', "twice"),
        (b'{"x":[{"a":1,"b":2,"\\u0061":3}]}', "twice"),
        (b"[NaN]", "NaN"),
        (b"[-Infinity]", "NaN"),
        (b"[1e999]", "out of range"),
        (b"[" + b"9" * 5_000 + b"]", "too many digits"),
        (nested(5_000), "64 levels"),
        (nested(200_000), "64 levels"),
        (b"[" * 200_000, "64 levels"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ('{"a":1}'.encode("utf-16"), "UTF-8"),
        ('{"a":1}'.encode("utf-16-le"), "not JSON"),
        (b'"\xfc"', "UTF-8"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        (b'"\xc0\xaf"', "UTF-8"),
        (b'["\\ud800"]', "half a character"),
        (b'{"\\uDFFF":1}', "half a character"),
    ],
)
def test_other_bodies_are_refused_with_the_reason(body: bytes, says: str) -> None:
    with pytest.raises(MalformedRequest, match=says):
        read(body)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)


@given(JSON)
def test_what_json_writes_is_read_back(document: Any) -> None:
    assert read(json.dumps(document).encode()) == document


@given(st.binary())
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        document = read(body)
    except MalformedRequest:
        return
    assert document == json.loads(body)


@pytest.mark.parametrize(
    ("selector", "document", "ids"),
    [
        ("identifiers[]", {"identifiers": [1, "2", 3]}, ["1", "2", "3"]),
        ("identifiers[]", {"identifiers": []}, []),
        ("identifiers[]", {"parameters": {}}, []),
        ("identifier", {"identifier": 0}, ["0"]),
        ("id", {"id": 9999999999999999999, "properties": 5}, ["9999999999999999999"]),
        ("[].id", [{"id": 1}, {}, {"id": "3"}], ["1", "3"]),
        ("[]", [1, 2], ["1", "2"]),
        ("[][].identifier", [[{"identifier": 1}], [], [{"identifier": 2}]], ["1", "2"]),
        ("identifiers[].item", {"identifiers": [{"item": 1, "record": 2}]}, ["1"]),
        ("datamining.identifier", {"datamining": {"identifier": 7, "config": "x"}}, ["7"]),
        ("datamining.identifier", {"contentcreation": {}}, []),
        (
            JOB_SET,
            {"jobs": [{"segments": [{"documentsets": [{"documents": [
                {"documentpages": [{"contentitem": 1}, {"contentitem": 2}]}, {}]}]}]}]},
            ["1", "2"],
        ),
    ],
)  # fmt: skip
def test_ids_are_found_as_text(selector: str, document: Any, ids: list[str]) -> None:
    assert find(document, Selector(selector)) == ids


@pytest.mark.parametrize(
    ("selector", "document", "place"),
    [
        ("identifiers[]", {"identifiers": [1, 2, 3, True]}, "identifiers[3]"),
        ("identifiers[]", {"identifiers": 1}, "identifiers"),
        ("identifiers[]", {"identifiers": {"0": 1}}, "identifiers"),
        ("identifiers[]", [1], None),
        ("identifiers[]", None, None),
        ("[].id", {"id": 1}, None),
        ("[].id", [{"id": 1}, 2], "[1]"),
        ("[].id", [{"id": [1]}], "[0].id"),
        ("[][].identifier", [[{"identifier": 1}, {"identifier": 2.0}]], "[0][1].identifier"),
        ("datamining.identifier", {"datamining": []}, "datamining"),
        (
            JOB_SET,
            {"jobs": [{"segments": [{"documentsets": None}]}]},
            "jobs[0].segments[0].documentsets",
        ),
    ],
)
def test_another_shape_is_refused_with_its_place(
    selector: str, document: Any, place: str | None
) -> None:
    with pytest.raises(InvalidParameters) as refusal:
        find(document, Selector(selector))
    assert refusal.value.parameter == place


NUMBERS_IN_DISGUISE = [
    *(
        "007",
        "00",
        "+202",
        "-1",
        "\u22121",
        " 1",
        "1 ",
        "1\n",
        "2_02",
        "٣",
        "\uff11\uff12",
        "1\u0663",
    ),
    "10000000000000000000",
    "9" * 5_000,
]
NO_IDS: list[Any] = [None, True, False, 1.0, 1e3, -1, 10**19, [], {}, [1]]
NAMES = ["Promo-EN-1000.csv", "letter ol.OL-template", "0x1", "1.0", "1e3", "Zürich", "12a"]
NO_NAMES = ["", " ", " a", "a\t", "a\x00", "a\r\nb", "\ud800", "a\u0085"]


@pytest.mark.parametrize("value", [*NUMBERS_IN_DISGUISE, *NO_IDS, *NO_NAMES])
@pytest.mark.parametrize("names", [True, False])
def test_what_is_no_id_is_refused(value: Any, names: bool) -> None:
    with pytest.raises(InvalidParameters):
        find({"id": value}, Selector("id"), names=names)


@pytest.mark.parametrize("value", NAMES)
def test_names_pass_only_where_they_may(value: str) -> None:
    assert find({"id": value}, Selector("id"), names=True) == [value]
    with pytest.raises(InvalidParameters):
        find({"id": value}, Selector("id"))


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", "[", "a[0]", "a[]b", "[]a", "é", "a b"]
)
def test_a_selector_must_be_one(text: str) -> None:
    with pytest.raises(ValueError, match="not a selector"):
        Selector(text)


def test_equal_selectors_are_equal() -> None:
    assert Selector("a[].b") == Selector("a[].b") != Selector("a.b")
    assert hash(Selector("a")) == hash(Selector("a"))


@given(JSON, st.sampled_from(["id", "[]", "[].id", "identifiers[]", "[][].identifier"]))
def test_finding_finds_or_refuses(document: Any, selector: str) -> None:
    try:
        ids = find(document, Selector(selector), names=True)
    except InvalidParameters:
        return
    assert all(ids)


@pytest.mark.parametrize(
    ("selector", "document", "kept"),
    [
        ("identifiers[]", {"identifiers": [1, 2, 3], "x": 1}, {"identifiers": [1, 3], "x": 1}),
        ("identifiers[]", {"identifiers": [2]}, {"identifiers": []}),
        ("identifiers[]", {"x": 1}, {"x": 1}),
        ("[]", ["1", 2], ["1"]),
        ("[].id", [{"id": "1", "p": 5}, {"id": "2"}, {"p": 1}], [{"id": "1", "p": 5}]),
        ("[].id", [], []),
        (
            "[][].identifier",
            [[{"identifier": 1}, {"identifier": 2}], [{"identifier": 2}], []],
            [[{"identifier": 1}], []],
        ),
        (
            "jobs[].items[].id",
            {"jobs": [{"n": 1, "items": [{"id": 2}]}, {"items": [{"id": 3}]}, {"n": 2}]},
            {"jobs": [{"items": [{"id": 3}]}, {"n": 2}]},
        ),
        ("a.ids[].x.id", {"a": {"ids": [{"x": {"id": 2}}, {"x": {"id": 1}}]}},
         {"a": {"ids": [{"x": {"id": 1}}]}}),
        ("[].id", [{"id": "1281ef9d-7a74"}, {"id": "2"}], [{"id": "1281ef9d-7a74"}]),
    ],
)  # fmt: skip
def test_a_list_is_filtered_by_id(selector: str, document: Any, kept: Any) -> None:
    before = json.dumps(document)
    assert keep(document, Selector(selector), {"1", "3", "1281ef9d-7a74"}.__contains__) == kept
    assert json.dumps(document) == before


@pytest.mark.parametrize(
    ("selector", "document"),
    [("[].id", {"id": 1}), ("identifiers[]", []), ("[]", [None]), ("[].id", [1]), ("[][].a", [1])],
)
def test_a_list_of_another_shape_is_not_passed_on(selector: str, document: Any) -> None:
    with pytest.raises(UpstreamInvalidResponse):
        keep(document, Selector(selector), lambda _: True)


def test_filtering_needs_an_array() -> None:
    with pytest.raises(ValueError, match="arrays"):
        keep({"id": 1}, Selector("id"), lambda _: True)


@given(st.lists(st.lists(st.integers(0, 9))), st.sets(st.integers(0, 9).map(str)))
def test_only_what_the_predicate_allows_is_left(document: Any, allowed: set[str]) -> None:
    selector = Selector("[][]")
    kept = find(keep(document, selector, allowed.__contains__), selector)
    assert kept == [found for found in find(document, selector) if found in allowed]


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (b"123", ["123"]),
        (b" 1,2;3 4\r\n5,\t6\n", ["1", "2", "3", "4", "5", "6"]),
        (b"1, 1", ["1", "1"]),
        (b"", []),
        (b" \n", []),
        (b",1", []),
        (b"1,2,", []),
        (b"true", []),
        (b"1,a", []),
        (b"[1,2]", []),
        (b"007", []),
        (b"-1", []),
        (b"+1", []),
        (b"1.5", []),
        (b"10000000000000000000", []),
        (b"C:\\out\\1.pdf", []),
        ("٣".encode(), []),
        (b"\xff1", []),
        (b"1 " * (1 << 20), []),
    ],
)
def test_ids_of_a_text_answer(body: bytes, ids: list[str]) -> None:
    assert ids_in_text(body) == ids


def test_a_long_list_is_read_quickly() -> None:
    body = json.dumps({"identifiers": list(range(50_000))}).encode()
    began = thread_time()
    assert len(find(read(body), Selector("identifiers[]"))) == 50_000
    assert thread_time() - began < 1

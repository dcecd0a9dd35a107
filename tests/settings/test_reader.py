"""YAML as it is read: values, positions, and everything that is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.settings import InvalidSettings, Settings, Sources, parse
from gateway.settings.models import Settings as Root
from gateway.settings.reader import read, resolve_plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("012", 12),
        ("-5", -5),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        ("~", None),
        ("", None),
        ("True", True),
        ("false", False),
        ("9" * 31, 1e31),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text: str, value: Any) -> None:
    found = resolve_plain(text)
    assert (type(found), found) == (type(value), value)
    assert read(f"a: {text}\n".encode()).value == {"a": value}


def test_quotes_and_blocks_are_text() -> None:
    assert read(b"a: '1'\nb: \"no\"\nc: |\n  2\n").value == {
        "a": "1",
        "b": "no",
        "c": "2\n",
    }


def test_an_old_yaml_version_changes_nothing() -> None:
    assert read(b"%YAML 1.1\n---\na: no\nb: 012\n").value == {"a": "no", "b": 12}


def test_positions_are_those_of_keys_and_items() -> None:
    document = read(b"\xef\xbb\xbfa:\n  b: [1, {c: 2}]\n")
    assert document.positions == {
        (): (1, 1),
        ("a",): (1, 1),
        ("a", "b"): (2, 3),
        ("a", "b", 0): (2, 7),
        ("a", "b", 1): (2, 10),
        ("a", "b", 1, "c"): (2, 11),
    }


def test_anchors_may_be_used_and_reused() -> None:
    document = read(b"a: &x [1]\nb: *x\nc: &x 2\nd: *x\n")
    assert document.value == {"a": [1], "b": [1], "c": 2, "d": 2}


BILLION_LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("content", "line", "column", "message"),
    [
        (b"", 1, 1, "the configuration is empty"),
        (b"# nothing\n---\n", 3, 1, "must be a mapping"),
        (b"# nothing\n", 1, 1, "the configuration is empty"),
        (b"- a\n- b\n", 1, 1, "must be a mapping"),
        (b"just text", 1, 1, "must be a mapping"),
        (b"a: 1\nb: \xff\n", 2, 4, "not UTF-8"),
        ("a: 1".encode("utf-16"), 1, 1, "not UTF-8"),
        (b"a: 1\nb: \x01\n", 2, 4, "control character"),
        (b"a:\n\tb: 1\n", 2, 1, "a tab cannot be used"),
        (b"store: memory:\n", 1, 14, "a second colon here"),
        (b"a: [1\nb: 2\n", 2, 2, "YAML: "),
        (b"a: 'x\n", 2, 1, "YAML: found unexpected end of stream"),
        (b"a: @x\n", 1, 4, "YAML: found character '@'"),
        (b"a: *x\n", 1, 4, "an alias without an anchor"),
        (b"a: 1\n---\nb: 2\n", 2, 1, "only one document"),
        (b'a: "\\U00110000"\n', 1, 1, "not valid YAML"),
        (b"a: " + b"[" * 40 + b"]" * 40, 1, 35, "nested more than 32 levels"),
        (b"a: &x [*x]\n", 1, 4, "an alias leads more than 32 levels deep"),
        (BILLION_LAUGHS.encode(), 1, 10, "has over 50000 values"),
    ],
)
def test_what_cannot_be_read_is_one_mistake(
    load_text: Callable[[bytes], Settings], content: bytes, line: int, column: int, message: str
) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_text(content)
    (mistake,) = caught.value.mistakes
    assert message in mistake.message
    assert (mistake.line, mistake.column) == (line, column)


@pytest.mark.parametrize(
    ("content", "position", "message"),
    [
        (b"a: !x 1", (1, 4), "tags (!) are not supported"),
        (b"a: !!binary aa", (1, 4), "tags (!) are not supported"),
        (b"1: a", (1, 1), "a key must be text"),
        (b"[a]: b", (1, 1), "a key must be text"),
        (b"a: 1\na: 2", (2, 1), "is given twice, first in line 1"),
        (b"a: {b, b}", (1, 8), "a key is given twice here, first in line 1"),
        (b'a: "\\ud800"', (1, 4), "surrogate"),
    ],
)
def test_flaws_are_collected(content: bytes, position: tuple[int, int], message: str) -> None:
    ((found, _, text),) = read(content).flaws
    assert found == position
    assert message in text


def load_or_refuse(content: bytes) -> None:
    try:
        parse(content, Path("a.yaml"), Sources(Path("/nowhere"), {}))
    except InvalidSettings as error:
        mistakes = error.mistakes
    else:
        return
    assert mistakes
    for mistake in mistakes:
        assert mistake.line >= 1
        assert mistake.column >= 1
        # What a terminal cannot encode, such as half a surrogate pair, must not come through.
        assert str(mistake).encode().isascii()


@given(st.binary(max_size=200))
def test_any_bytes_load_or_are_refused(content: bytes) -> None:
    load_or_refuse(content)


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@`#,?\\ \n\tx0\u2028\x85", max_size=60))
@example('a: "\\x')
@example("? [a, {b: c}]")
def test_any_text_of_yaml_signs_loads_or_is_refused(text: str) -> None:
    load_or_refuse(text.encode())


KEYS = sorted({*Root.model_fields, "cors", "jwks", "url", "file", "env", "allow", "members", "x"})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["discovery", "1s", "*", "h:1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=8,
)


@settings(max_examples=200)
@given(data=st.data(), value=VALUES)
def test_any_value_at_any_place_loads_or_is_refused(
    valid_places: list[tuple[Any, ...]],
    replaced: Callable[[tuple[Any, ...], Any], bytes],
    data: st.DataObject,
    value: Any,
) -> None:
    load_or_refuse(replaced(data.draw(st.sampled_from(valid_places)), value))

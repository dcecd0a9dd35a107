"""Lists to objects and back, without a conversion; OL Connect's refusals without its address."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api import values
from gateway.cache import Fetched
from gateway.problems import InvalidParameters, NotFound, UpstreamInvalidResponse
from gateway.rules.links import Origins

ORIGINS = Origins("http://gateway.test", "http://127.0.0.1:9340", ("http://OLSERVER:9340",))
_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_VALUES = st.dictionaries(_TEXT, _TEXT)


@given(_VALUES)
def test_there_and_back_nothing_is_lost(pairs: dict[str, str]) -> None:
    assert values.of_list(json.dumps(values.as_list(pairs)).encode()) == pairs
    assert json.loads(values.to_body(pairs)) == pairs


@given(_VALUES)
def test_the_same_values_are_the_same_bytes(pairs: dict[str, str]) -> None:
    backwards = dict(reversed(pairs.items()))
    assert values.to_body(pairs) == values.to_body(backwards)


def test_of_a_name_that_comes_twice_the_last_counts() -> None:
    twice = b'[{"name":"a","value":"1"},{"name":"b","value":"3"},{"name":"a","value":"2"}]'
    assert values.of_list(twice) == {"a": "2", "b": "3"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b'{"name":"a","value":"1"}',
        b'["a"]',
        b'[{"name":"a"}]',
        b'[{"name":"a","value":1}]',
        b'[{"name":"a","value":null}]',
        b'[{"name":1,"value":"a"}]',
        b"<html>",
    ],
)
def test_another_form_than_the_documented_one_is_not_guessed_at(body: bytes) -> None:
    with pytest.raises(UpstreamInvalidResponse):
        values.of_list(body)


@pytest.mark.parametrize("value", [1, 1.5, True, None, [], {}])
def test_only_strings_can_be_put(value: object) -> None:
    with pytest.raises(InvalidParameters) as refused:
        values.of_document({"end": "x", "start": value})
    assert refused.value.parameter == "start"


@pytest.mark.parametrize("document", [None, [], "text", 1, [{"name": "a", "value": "b"}]])
def test_only_objects_can_be_put_or_patched(document: object) -> None:
    with pytest.raises(InvalidParameters):
        values.of_document(document)
    with pytest.raises(InvalidParameters):
        values.merged({}, document)


@given(_VALUES, st.dictionaries(_TEXT, st.none() | _TEXT))
def test_a_merge_patch_is_that_of_the_rfc(
    before: dict[str, str], patch: dict[str, str | None]
) -> None:
    after = values.merged(before, patch)
    for name, value in patch.items():
        assert after.get(name) == value
    for name in before.keys() - patch.keys():
        assert after[name] == before[name]
    assert after.keys() <= before.keys() | patch.keys()


def test_a_patch_converts_nothing() -> None:
    with pytest.raises(InvalidParameters) as refused:
        values.merged({"start": "1"}, {"start": 2})
    assert refused.value.parameter == "start"


def _error(status: int, message: str) -> Fetched:
    body = json.dumps({"error": {"status": status, "message": message}}).encode()
    return Fetched(status, (), body)


def test_ol_connects_reason_is_passed_on() -> None:
    problem = values.refusal(_error(500, "Job ID mismatch in JSON"), ORIGINS)
    assert isinstance(problem, UpstreamInvalidResponse)
    assert problem.detail == "OL Connect answered 500: Job ID mismatch in JSON"


@pytest.mark.parametrize(
    "message",
    [
        "see http://127.0.0.1:9340/rest",
        "at OLSERVER:9340",
        "at olserver%3A9340",
        "two\nlines",
        "x" * 501,
        "",
    ],
)
def test_what_a_caller_must_not_read_is_left_out(message: str) -> None:
    problem = values.refusal(_error(500, message), ORIGINS)
    assert problem.detail == "OL Connect answered 500."


@pytest.mark.parametrize("body", [b"", b"<html>127.0.0.1:9340</html>", b'{"error": "x"}', b"[]"])
def test_a_refusal_in_no_known_form_is_only_its_status(body: bytes) -> None:
    assert values.refusal(Fetched(400, (), body), ORIGINS).detail == "OL Connect answered 400."


def test_not_found_says_nothing_of_ol_connect() -> None:
    problem = values.refusal(_error(404, "No Job 7"), ORIGINS)
    assert isinstance(problem, NotFound)
    assert "Job 7" not in problem.detail


@pytest.mark.parametrize("body", [b"true", b"", b"true\n"])
def test_a_write_is_confirmed(body: bytes) -> None:
    values.written(Fetched(200, (), body), ORIGINS)


@pytest.mark.parametrize("body", [b"false", b"<html>"])
def test_a_write_that_is_not_confirmed_is_no_success(body: bytes) -> None:
    with pytest.raises(UpstreamInvalidResponse):
        values.written(Fetched(200, (), body), ORIGINS)

"""Which objects a request names and an answer tells of, by the catalogue's selectors."""

import pytest

from gateway.catalogue import CATALOGUE, ENDPOINTS
from gateway.model import Kind, Thing
from gateway.problems import InvalidParameters, MalformedRequest
from gateway.rules import ids


def test_path_parameters_name_their_kinds() -> None:
    things = ids.of_path({"dmConfigId": "a", "jcConfigId": "b", "jobId": "7", "relPath": "x/y"})
    assert things == [Thing(Kind.PRESET, "a"), Thing(Kind.PRESET, "b"), Thing(Kind.JOB, "7")]
    assert ids.of_path({"jcConfigId": ids.NO_JOB_PRESET}) == []
    assert ids.presets(things) == ["a", "b"]


def test_a_query_may_name_records_often_but_a_preset_once() -> None:
    values = ENDPOINTS["data_record_entity.get_multiple_values"]
    named = [Thing(Kind.DATA_RECORD, "1"), Thing(Kind.DATA_RECORD, "20")]
    assert ids.of_query(values, "id=1&id=%320&x=3") == named
    for query in ("id=%2B1", "id=02", "id=a", "id=", "id=1,2", "id=%D9%A1"):
        with pytest.raises(InvalidParameters):
            ids.of_query(values, query)
    preview = ENDPOINTS["content_creation.create_preview_pdf_by_data_record"]
    with pytest.raises(MalformedRequest):
        ids.of_query(preview, "templateId=a&template%49d=b&dataRecordId=1")


def test_a_body_names_what_its_selectors_point_at() -> None:
    many = ENDPOINTS["job_entity.update_multiple_properties"]
    assert ids.of_body(many, [{"id": 1}, {"id": 2}]) == [Thing(Kind.JOB, "1"), Thing(Kind.JOB, "2")]
    with pytest.raises(InvalidParameters):
        ids.of_body(many, {"id": 1})


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"datamining": {}, "outputcreation": {}}, Kind.FILE),
        ({"datamining": {}, "contentcreation": {}, "jobcreation": {}}, Kind.JOB_SET),
        ({"datamining": {}}, Kind.DATA_SET),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_the_last_step_says_what_an_all_in_one_leaves(document: object, kind: Kind | None) -> None:
    assert ids.result_of(ENDPOINTS["all_in_one.process"], document) is kind


@pytest.mark.parametrize("document", [None, [], {}, {"entity": 1}, {"entity": "jobs"}])
def test_a_search_must_say_for_what(document: object) -> None:
    assert ids.searched({"entity": "JOBS"}) is Kind.JOB
    with pytest.raises(InvalidParameters):
        ids.searched(document)


def test_an_answer_is_read_as_text_or_as_json_and_else_teaches_nothing() -> None:
    result = ENDPOINTS["data_mapping.get_result"].answer
    assert ids.of_answer(result, b"12") == [Thing(Kind.DATA_SET, "12")]
    managed = ENDPOINTS["all_in_one.get_managed_result"].answer
    assert ids.of_answer(managed, b'{"identifier": 5}') == [Thing(Kind.FILE, "5")]
    for body in (b"", b"{", b'{"identifier": {}}', b"\xff"):
        assert ids.of_answer(managed, body) in ([], [Thing(Kind.FILE, "\xff")])


def test_a_list_keeps_what_is_owned() -> None:
    listed = ids.listed(ENDPOINTS["job_set_entity.get_all_job_sets"], None)
    kept = ids.only(listed, {"identifiers": [1, 2, 3]}, lambda thing: thing.id != "2")
    assert kept == {"identifiers": [1, 3]}


@pytest.mark.parametrize("endpoint", CATALOGUE, ids=lambda row: row.name)
def test_every_selector_of_the_catalogue_can_be_read(endpoint: object) -> None:
    from gateway.catalogue import TEXT, Endpoint  # noqa: PLC0415

    assert isinstance(endpoint, Endpoint)
    for selector in (*endpoint.body, *endpoint.answer):
        assert selector == TEXT or ids._selector(selector) is not None

"""Entities: lists, members, properties, metadata, values, deletion, statistics."""

from typing import Any

import pytest

CODE = "00012345678901234567890123456789012345678901"

WITH_PROPERTIES = [
    ("datarecords", "properties", "Data Record"),
    ("datasets", "properties", "Data Set"),
    ("contentsets", "properties", "Content Set"),
    ("contentitems", "properties", "Content Item"),
    ("documents", "metadata", "Document"),
    ("documentsets", "metadata", "Document Set"),
    ("jobs", "properties", "Job"),
    ("jobs", "metadata", "Job"),
    ("jobsegments", "metadata", "Job Segment"),
    ("jobsets", "properties", "Job Set"),
    ("jobsets", "metadata", "Job Set"),
]


async def members(api: Any, path: str) -> Any:
    return (await api("GET", f"/entity/{path}")).json["identifiers"]


async def test_from_the_job_set_down_to_the_record(api: Any) -> None:
    assert await api.job_set() == 1
    assert await members(api, "jobsets") == [1]
    assert await members(api, "jobsets/1") == [1]
    assert await members(api, "jobs/1") == [1]
    assert await members(api, "jobsegments/1") == [1]
    assert await members(api, "documentsets/1") == [1, 2, 3]
    assert await members(api, "jobs/1/contents") == [
        {"item": 1, "record": 1},
        {"item": 2, "record": 2},
        {"item": 3, "record": 3},
    ]
    assert await members(api, "contentsets/1") == await members(api, "jobs/1/contents")
    assert (await api("GET", "/entity/contentitems/2/datarecord")).json == {"record": 2}
    assert await members(api, "datasets/1") == [1, 2, 3]


@pytest.mark.parametrize(("service", "which", "kind"), WITH_PROPERTIES)
async def test_name_value_lists(api: Any, service: str, which: str, kind: str) -> None:
    await api.job_set()
    path = f"/entity/{service}/1/{which}"
    assert (await api("GET", path)).json == []
    listed: list[dict[str, str]] = []
    for values in ({"code": CODE, "start": "é"}, {"other": "1"}):
        listed = [{"name": name, "value": value} for name, value in values.items()]
        reply = await api("PUT", path, json={"id": 1, "properties": listed})
        assert (reply.status, reply.headers["Content-Type"], reply.body) == (
            200,
            "text/plain",
            b"true",
        )
        assert (await api("GET", path)).json == listed
    mismatch = await api("PUT", path, json={"id": 2, "properties": []})
    assert mismatch.status == 500
    assert mismatch.message == f"Server error or {kind} ID mismatch in JSON"
    for broken in (b"", b"[", b"[]", b'{"id":1,"properties":[{}]}'):
        assert (await api("PUT", path, data=broken)).status == 500
    assert (await api("GET", path)).json == listed
    assert (await api("GET", f"/entity/{service}/99/{which}")).status == 404


@pytest.mark.parametrize("service", ["datarecords", "contentitems", "jobs"])
async def test_updating_several_merges_and_is_all_or_nothing(api: Any, service: str) -> None:
    await api.job_set()
    path = f"/entity/{service}/properties"
    first = {"id": 1, "properties": [{"name": "a", "value": "1"}]}
    second = {"id": 1, "properties": [{"name": "b", "value": "2"}]}
    reply = await api("PUT", path, json=[first, second])
    assert (reply.status, reply.body) == (200, b"")
    assert "Content-Type" not in reply.headers
    missing = [{"id": 1, "properties": [{"name": "c", "value": "3"}]}, {"id": 99, "properties": []}]
    assert (await api("PUT", path, json=missing)).status == 404
    assert (await api("PUT", path, json={"id": 1})).status == 500
    found = (await api("GET", f"/entity/{service}/1/properties")).json
    assert found == [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]


async def test_deleting_a_set_takes_everything_below(api: Any) -> None:
    await api.job_set()
    for service in ("jobsets", "contentsets", "datasets"):
        path = f"/entity/{service}/1/delete"
        reply = await api("POST", path)
        assert (reply.status, reply.headers["Content-Type"], reply.body) == (
            200,
            "text/plain",
            b"true",
        )
        assert (await api("POST", path)).body == b"false"
        assert await members(api, service) == []
    for path in ("jobs/1", "documents/1/metadata", "contentitems/1/datarecord"):
        assert (await api("GET", f"/entity/{path}")).status == 404
    assert (await api("GET", "/entity/datarecords/1/values")).status == 404


async def test_record_values(api: Any) -> None:
    await api.data_set()
    values = (await api("GET", "/entity/datarecords/1/values")).json
    assert values["datasetid"] == 1
    assert values["fields"][0] == {"name": "ID", "value": "0001"}
    change = {"id": 1, "fields": [{"name": "ID", "value": CODE}]}
    reply = await api("PUT", "/entity/datarecords/1/values", json=change)
    assert (reply.status, reply.body) == (200, b"")
    assert (await api("PUT", "/entity/datarecords/2/values", json=change)).status == 500
    several = [{"id": 2, "records": [{"name": "ID", "value": "two"}]}]
    assert (await api("PUT", "/entity/datarecords", json=several)).status == 200
    listed = (await api("GET", "/entity/datarecords/values?id=1&id=2")).json
    assert [each["fields"][0]["value"] for each in listed] == [CODE, "two"]


async def test_added_records_with_detail_tables_and_types(api: Any) -> None:
    await api.data_set()
    new = [{"datasetid": 1, "records": [{"fields": [{"name": "Sum", "value": 1.50}]}]}]
    reply = await api("POST", "/entity/datarecords", json=new)
    assert (reply.status, reply.body) == (200, b"")
    detail = [{"recordid": 4, "table": "lines", "records": [{"fields": {"Item": "x", "N": 2}}]}]
    assert (await api("POST", "/entity/datarecords", json=detail)).status == 200
    assert await members(api, "datasets/1") == [1, 2, 3, 4]
    plain = (await api("GET", "/entity/datarecords/4/values", params={"recursive": "true"})).json
    assert plain["records"][0]["table"] == "lines"
    assert plain["records"][0]["parentrecordid"] == 4
    flat = (await api("GET", "/entity/datarecords/4/values", params={"recursive": "false"})).json
    assert "records" not in flat
    body = {"recordids": [4], "recursive": True, "explicitTypes": True}
    (typed,) = (await api("POST", "/entity/datarecords/values", json=body)).json
    assert typed["schema"]["columns"] == {"Sum": "FLOAT"}
    assert typed["fields"] == {"Sum": 1.5}
    assert typed["tables"]["lines"][0]["fields"] == {"Item": "x", "N": 2}
    for broken in ("{}", "[{}]", '[{"datasetid": 99, "records": []}]'):
        assert (await api("POST", "/entity/datarecords", data=broken)).status == 500


async def test_pages_of_a_content_set(api: Any) -> None:
    await api.content_set()
    path = "/entity/contentsets/1/pages"
    assert (await api("GET", path)).json["pages"][0]["count"] == 3
    detail = (await api("GET", path, params={"detail": "true"})).json
    assert [each["id"] for each in detail] == [1, 2, 3]


async def test_statistics(api: Any) -> None:
    await api.job_set()
    path = "/statistics/jobset/1"
    default = (await api("GET", path)).json
    assert default["counts"] == {"sheets": 3, "pages": 3}
    assert [each["dataRecordId"] for each in default["documents"]] == [1, 2, 3]
    sets = (await api("GET", path, params={"levelMode": "DOCUMENTSETONLY"})).json
    assert "documents" not in sets["documentSets"][0]
    everything = (await api("GET", path, params={"levelMode": "documentSetAll"})).json
    assert len(everything["documentSets"][0]["documents"]) == 3
    assert (await api("GET", path, params={"levelMode": "x"})).status == 400
    assert (await api("GET", "/statistics/jobset/9")).message.startswith("The specified Job Set")

"""The catalogue against the documents it was made from, the simulator, and itself."""

import re

import pytest

from gateway.catalogue import CATALOGUE, ENDPOINTS, PARAMETERS, SIMPLIFIED, Role
from gateway.catalogue.simplified import RIGHTS
from gateway.rules.documents import Selector
from gateway.simulator.server import served_routes

DOCUMENTED = {
    "output_creation.process_by_job_set": "POST /workflow/outputcreation/{configId}",
    "output_creation.process_by_job": "POST /workflow/outputcreation/{configId}/jobs",
    "job_creation.process": "POST /workflow/jobcreation/{configId}",
    "job_creation.get_result": "POST /workflow/jobcreation/getResult/{operationId}",
    "all_in_one.get_result": "POST /workflow/print/getResult/{operationId}",
    "job_entity.get_content_items": "GET /entity/jobs/{jobId}/contents",
    "job_entity.get_job_segments": "GET /entity/jobs/{jobId}",
    "job_entity.get_metadata": "GET /entity/jobs/{jobId}/metadata",
    "job_entity.update_metadata": "PUT /entity/jobs/{jobId}/metadata",
    "job_entity.get_properties": "GET /entity/jobs/{jobId}/properties",
    "job_entity.update_properties": "PUT /entity/jobs/{jobId}/properties",
    "job_entity.update_multiple_properties": "PUT /entity/jobs/properties",
}
SERVICES = {
    *("authentication", "file_store", "data_mapping", "content_creation", "email", "html"),
    *("job_creation", "output_creation", "all_in_one", "data_record_entity", "data_set_entity"),
    *("content_set_entity", "content_item_entity", "document_entity", "document_set_entity"),
    *("job_entity", "job_segment_entity", "job_set_entity", "entity", "statistics", "conversion"),
}


def _nameless(method: str, template: str) -> tuple[str, str]:
    # Names differ between documents; a tail is told from one segment by more than its name.
    return method, re.sub(r"\{(?!relPath)[^}]+\}", "{}", template)


@pytest.mark.parametrize(("name", "request_line"), DOCUMENTED.items())
def test_the_documented_endpoints_bear_the_documented_names(name: str, request_line: str) -> None:
    endpoint = ENDPOINTS[name]
    assert f"{endpoint.method} {endpoint.path}" == request_line


def test_every_service_is_there_and_no_other() -> None:
    assert {endpoint.service for endpoint in CATALOGUE} == SERVICES


def test_names_and_requests_are_unique() -> None:
    rows = (*CATALOGUE, *SIMPLIFIED)
    assert len({row.name for row in rows}) == len(rows)
    assert len({_nameless(row.method, row.template) for row in rows}) == len(rows)


def test_the_simulator_serves_exactly_the_catalogue() -> None:
    served = {_nameless(*route) for route in served_routes()}
    # HEAD is answered wherever GET is; the simulator lists the one that clients rely on.
    served.discard(("HEAD", "/rest/serverengine/authentication"))
    assert served == {_nameless(row.method, row.template) for row in CATALOGUE}


def test_every_path_parameter_says_what_it_identifies() -> None:
    for row in (*CATALOGUE, *SIMPLIFIED):
        assert set(re.findall(r"\{([^}]+)\}", row.path)) <= set(PARAMETERS), row.name


def test_every_selector_can_be_read() -> None:
    for row in CATALOGUE:
        for selector in (*row.body, *row.answer):
            if selector != "$text":
                Selector(selector)


def test_a_start_is_never_repeatable_and_only_name_value_lists_are_cached() -> None:
    for row in CATALOGUE:
        assert not (row.role is Role.START and row.repeatable), row.name
        assert (row.facet is None) == (
            row.path.rpartition("/")[2] not in ("properties", "metadata")
        )


def test_rights_of_the_simplified_face_name_endpoints_that_exist() -> None:
    names = {row.name for row in SIMPLIFIED}
    for simplified, needed in RIGHTS.items():
        assert simplified in names
        assert "{entity}" in needed or needed in ENDPOINTS

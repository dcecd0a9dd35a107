"""The catalogue as a router: literal before number before name, one spelling each."""

import pytest

from gateway.catalogue import CATALOGUE, SIMPLIFIED
from gateway.problems import MethodNotAllowed, UnknownEndpoint
from gateway.rules.routes import RouteTable

P = "/rest/serverengine"
TABLE = RouteTable((*CATALOGUE, *SIMPLIFIED))
EXAMPLES = {"relPath": "css/a.css", "entity": "jobs", "args": "a", "size": "a", "asset": "a.js"}


@pytest.mark.parametrize("endpoint", [*CATALOGUE, *SIMPLIFIED], ids=lambda row: row.name)
def test_every_endpoint_is_found_at_its_template(endpoint: object) -> None:
    from gateway.catalogue import Endpoint  # noqa: PLC0415

    assert isinstance(endpoint, Endpoint)
    path = endpoint.template
    for name in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
        path = path.replace(f"{{{name}}}", EXAMPLES.get(name, "7"))
    assert TABLE.recognise(endpoint.method, path).match().endpoint is endpoint


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/entity/jobs/", "job_entity.service_handshake"),
        ("HEAD", "/entity/jobs", "job_entity.service_handshake"),
        ("PUT", "/entity/jobs/properties", "job_entity.update_multiple_properties"),
        ("GET", "/entity/jobs/7/properties", "job_entity.get_properties"),
        ("HEAD", "/filestore/file/7", "file_store.managed_file_exists"),
        ("GET", "/filestore/file/7/a/b/c", "file_store.download_file_of_directory"),
    ],
)
def test_neighbours_are_told_apart(method: str, path: str, name: str) -> None:
    assert TABLE.recognise(method, P + path).match().endpoint.name == name


@pytest.mark.parametrize(
    "path",
    ["/", "/entity/jobs/7/", "/entity/jobs/7/properties/", "/entity/jobs/x/properties", "/Entity"],
)
def test_what_is_not_in_the_catalogue_does_not_exist(path: str) -> None:
    recognition = TABLE.recognise("GET", P + path)
    assert recognition.label == "unmatched"
    with pytest.raises(UnknownEndpoint):
        recognition.match()


def test_another_method_is_refused_under_the_endpoints_name() -> None:
    recognition = TABLE.recognise("PATCH", f"{P}/entity/jobs/7/properties")
    assert recognition.label == "job_entity.get_properties"
    with pytest.raises(MethodNotAllowed) as refused:
        recognition.match()
    assert refused.value.headers == {"Allow": "GET, HEAD, PUT"}


def test_values_are_decoded_once_and_a_plus_stays_one() -> None:
    match = TABLE.recognise("GET", f"{P}/filestore/file/a%20b+c").match()
    assert match.parameters == {"fileId": "a b+c"}


def test_two_rows_for_one_request_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two endpoints"):
        RouteTable((CATALOGUE[0], CATALOGUE[0]))

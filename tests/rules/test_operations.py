"""Where an operation is asked for, and how OL Connect names one."""

import pytest

from gateway.problems import UpstreamInvalidResponse
from gateway.rules.operations import id_in, link_lines, listing_of, path_of


def test_paths_come_from_the_catalogue() -> None:
    base = "/rest/serverengine/workflow/print"
    assert path_of("all_in_one", "get_progress", "a-1") == f"{base}/getProgress/a-1"
    assert listing_of("all_in_one") == f"{base}/getOperations"
    with pytest.raises(KeyError):
        path_of("job_entity", "get_progress", "1")


def test_three_links_as_ol_connect_gives_them() -> None:
    lines = link_lines("job_creation", "7", "https://print.test")
    base = "https://print.test/rest/serverengine/workflow/jobcreation"
    assert lines == [
        ("Link", f'<{base}/getProgress/7>; rel="progress"'),
        ("Link", f'<{base}/getResult/7>; rel="result"'),
        ("Link", f'<{base}/cancel/7>; rel="cancel"'),
    ]


def test_an_id_is_read_in_any_case_of_its_name() -> None:
    assert id_in([(b"OPERATIONID", b"a-b_c.~1")]) == "a-b_c.~1"
    assert id_in([(b"operationId", b"1"), (b"operationid", b"1")]) == "1"
    assert id_in([(b"Link", b"1")]) is None


@pytest.mark.parametrize("value", [b"", b"a/b", b"a b", b"..%2f", b"a" * 129, b"\xff", b"<a>"])
def test_an_id_that_could_not_stand_in_a_path_is_refused(value: bytes) -> None:
    with pytest.raises(UpstreamInvalidResponse):
        id_in([(b"operationId", value)])


def test_two_different_ids_are_refused() -> None:
    with pytest.raises(UpstreamInvalidResponse):
        id_in([(b"operationId", b"1"), (b"operationId", b"2")])

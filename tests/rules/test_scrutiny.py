"""Whatever some reader could take for the name of an object stands where it is checked."""

from typing import Any

import pytest

from gateway.catalogue import ENDPOINTS
from gateway.model import Kind, Thing
from gateway.problems import InvalidParameters
from gateway.rules.scrutiny import check

JOB_CREATION = ENDPOINTS["job_creation.process"]
OWN = {"identifiers": [5]}
THINGS = [Thing(Kind.CONTENT_SET, "5")]


@pytest.mark.parametrize(
    "key",
    [
        *("Identifiers", "IDENTIFIERS", "identifier", "jobId", "job_ids", "contentSets", "ID"),
        *("identifiers ", "\tidentifiers", "identifiers\0", "identifiers.", "identifiers[]"),
        *("\uff49dentifiers", "identifier\u017f", "\u0131dentifiers", "data-set", "@id", "$id"),
    ],
)
@pytest.mark.parametrize("value", [6, "6", [6], [[6]]])
def test_what_could_be_read_as_a_name_is_refused(key: str, value: Any) -> None:
    with pytest.raises(InvalidParameters):
        check(JOB_CREATION, OWN | {key: value}, THINGS)
    with pytest.raises(InvalidParameters):
        check(JOB_CREATION, OWN | {"inner": [{key: value}]}, THINGS)


@pytest.mark.parametrize(
    "extra",
    [
        *({}, {"createOnly": True}, {"note": 6}, {"id": None}, {"": 6}, {"$": 6}),
        *({place: {"identifiers": [6]}} for place in ("parameters", "data", "fields")),
    ],
)
def test_what_names_nothing_passes(extra: dict[str, Any]) -> None:
    check(JOB_CREATION, OWN | extra, THINGS)

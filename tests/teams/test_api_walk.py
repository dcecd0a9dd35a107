"""The same walk over the simplified face: wherever it takes an id, another team's object and
nobody's are told apart by nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gateway.catalogue import ENDPOINTS, PARAMETERS, SIMPLIFIED, Endpoint
from gateway.catalogue.simplified import ENTITIES, RIGHTS
from gateway.model import Kind

PREFIX = "/api/v1/"
OUTPUT = "Print-PDF.OL-outputpreset"

# A new row must be put here if it takes no id, into BODIES if it takes one other than in its path.
WITHOUT_IDS = {"api.me", "api.list_pipelines", "api.run_pipeline", "api.list_operations"}
BODIES: dict[str, dict[Kind, Callable[[int], Any]]] = {
    "api.get_jobs_properties": {Kind.JOB: lambda id_: None},
    "api.update_jobs_properties": {Kind.JOB: lambda id_: {str(id_): {"a": "b"}}},
    "api.create_jobs": {
        Kind.CONTENT_SET: lambda id_: {"preset": "Invoices.OL-jobpreset", "contentSets": [id_]}
    },
    "api.create_output": {
        Kind.JOB_SET: lambda id_: {"preset": OUTPUT, "jobSet": id_},
        Kind.JOB: lambda id_: {"preset": OUTPUT, "jobs": [id_]},
    },
}


@dataclass(frozen=True)
class Case:
    """A row of the catalogue, and the request that names an object in the place of ``ID``."""

    row: Endpoint
    kind: Kind
    path: str
    body: Callable[[int], Any] | None = None

    async def ask(self, asking: Any, other: Any) -> Any:
        id_ = other.operations["data_mapping"] if self.kind is Kind.OPERATION else None
        id_ = id_ or other.objects[self.kind]
        body = self.body(int(id_)) if self.body else {"a": "b"}
        options = {} if self.row.method == "GET" or body is None else {"json": body}
        return await asking.caller(self.row.method, self.path.replace("ID", id_), **options)


def _cases_of(row: Endpoint) -> Iterator[Case]:
    if row.name in BODIES:
        query = "?ids=ID" if row.method == "GET" else ""
        for kind, body in BODIES[row.name].items():
            yield Case(row, kind, row.path + query, body)
    if "{entity}" in row.path:
        for entity, (service, kind) in ENTITIES.items():
            if RIGHTS[row.name].format(entity=service) in ENDPOINTS:
                yield Case(row, kind, row.path.format(entity=entity, id="ID"))
    for name, parameter in PARAMETERS.items():
        if f"{{{name}}}" in row.path and parameter.kind is not None:
            yield Case(row, parameter.kind, row.path.replace(f"{{{name}}}", "ID"))


CASES = [case for row in SIMPLIFIED if row.path.startswith(PREFIX) for case in _cases_of(row)]


def test_no_row_is_forgotten() -> None:
    walked = {case.row.name for case in CASES}
    rows = {row.name for row in SIMPLIFIED if row.path.startswith(PREFIX)}
    assert rows == walked | WITHOUT_IDS
    assert not walked & WITHOUT_IDS


def _problem(reply: Any) -> Any:
    document = reply.json()
    # Read several at a time, each has its own problem.
    problems = document.get("problems", {"": document})
    return [problem | {"request_id": ""} for problem in problems.values()]


async def test_none_reaches_or_betrays_another_teams_object(world: Any) -> None:
    before = len(world.stage.requests())
    for case in CASES:
        foreign = await case.ask(world.marketing, world.billing)
        unknown = await case.ask(world.marketing, world.nobodys)
        assert foreign.status == unknown.status, str(case)
        assert _problem(foreign) == _problem(unknown), str(case)
        assert [problem["code"] for problem in _problem(foreign)] == ["not_found"], str(case)
    assert len(world.stage.requests()) == before, "something reached OL Connect"


async def test_a_teams_own_is_reached(world: Any) -> None:
    """Else the walk above would prove nothing."""
    world.stage.simulator.change(operation_seconds=30)
    for case in CASES:
        if case.row.name == "api.get_operation_events":
            continue  # goes on until the operation ends
        reply = await case.ask(world.marketing, world.marketing)
        assert reply.status in (200, 202, 204, 409), f"{case}: {reply}"

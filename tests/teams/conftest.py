"""Two teams that share one OL Connect user, each with an object of every kind."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.catalogue import CATALOGUE, PARAMETERS, Endpoint, Role
from gateway.model import Kind
from tests.support.stage import Reply, Stage, TestCaller

MAPPER = "Promo-EN.OL-datamapper"
NAMED = {Kind.FILE, Kind.PRESET, Kind.OPERATION}
SERVICES = {
    "data_mapping": f"/workflow/datamining/{MAPPER}/{{file}}",
    "content_creation": "/workflow/contentcreation/letter-ol.OL-template/{data_set}",
    "email": "/workflow/contentcreation/email/letter-ol.OL-template/{data_set}",
    "job_creation": "/workflow/jobcreation/Invoices.OL-jobpreset",
    "output_creation": "/workflow/outputcreation/Print-PDF.OL-outputpreset/{job_set}",
    "all_in_one": "/workflow/print/submit",
}


@dataclass
class Belongings:
    """One object of every kind, and one operation of every service."""

    caller: TestCaller
    objects: dict[Kind, str] = field(default_factory=dict)
    operations: dict[str, str] = field(default_factory=dict)

    def of(self, kind: Kind, endpoint: Endpoint) -> str:
        return self.operations[endpoint.service] if kind is Kind.OPERATION else self.objects[kind]


NOBODYS = Belongings(
    TestCaller.__new__(TestCaller),
    {kind: "987654321" for kind in Kind},
    {service: "00000000-0000-4000-8000-000000000000" for service in SERVICES},
)


async def _first(caller: TestCaller, path: str, key: str | None = None) -> str:
    reply = await caller.get(path)
    assert reply.status == 200, (path, reply)
    element = reply.json()["identifiers"][0]
    return str(element if key is None else element[key])


async def _belongings(caller: TestCaller) -> Belongings:
    have = Belongings(caller)
    objects = have.objects
    objects[Kind.FILE] = await caller.upload()
    uploaded = await caller.post("/filestore/JobCreationConfig", data=b"<preset/>")
    objects[Kind.PRESET] = uploaded.text
    objects[Kind.DATA_SET] = await caller.data_set()
    objects[Kind.DATA_RECORD] = await _first(caller, f"/entity/datasets/{objects[Kind.DATA_SET]}")
    objects[Kind.CONTENT_SET] = await caller.content_set()
    path = f"/entity/contentsets/{objects[Kind.CONTENT_SET]}"
    objects[Kind.CONTENT_ITEM] = await _first(caller, path, "item")
    objects[Kind.JOB_SET] = await caller.job_set()
    objects[Kind.JOB] = await _first(caller, f"/entity/jobsets/{objects[Kind.JOB_SET]}")
    objects[Kind.JOB_SEGMENT] = await _first(caller, f"/entity/jobs/{objects[Kind.JOB]}")
    path = f"/entity/jobsegments/{objects[Kind.JOB_SEGMENT]}"
    objects[Kind.DOCUMENT_SET] = await _first(caller, path)
    path = f"/entity/documentsets/{objects[Kind.DOCUMENT_SET]}"
    objects[Kind.DOCUMENT] = await _first(caller, path)
    for service, path in SERVICES.items():
        body: Any = None
        if service == "job_creation":
            body = {"identifiers": [int(objects[Kind.CONTENT_SET])]}
        elif service == "all_in_one":
            body = {"datamining": {"identifier": int(objects[Kind.FILE]), "config": MAPPER}}
        names = {kind.value: id_ for kind, id_ in objects.items()}
        have.operations[service] = await caller.start(path.format(**names), json=body)
    return have


@dataclass
class World:
    stage: Stage
    billing: Belongings
    marketing: Belongings
    nobodys: Belongings = field(default_factory=lambda: NOBODYS)


@pytest.fixture
async def world(stage: Stage) -> World:
    # What reaches OL Connect is counted: on a busy machine, polls would come in between.
    stage.gateway.poller.pace = lambda age, percent, *, listened: 3600.0
    billing = await _belongings(stage.caller("ol-billing"))
    return World(stage, billing, await _belongings(stage.caller("ol-marketing")))


@dataclass(frozen=True)
class Position:
    """A place of an endpoint where a request names an object."""

    where: str  # path, query or body
    name: str
    kind: Kind


@dataclass(frozen=True)
class Case:
    """One place of one endpoint; all others bear ids of the caller's own team."""

    endpoint: Endpoint
    position: Position
    all_positions: tuple[Position, ...]

    def __str__(self) -> str:
        return f"{self.endpoint.name} {self.position.where} {self.position.name}"

    async def ask(self, asking: Belongings, other: Belongings) -> Reply:
        """The request that names ``other``'s object in this place."""

        def id_at(position: Position) -> str:
            owner = other if position == self.position else asking
            return owner.of(position.kind, self.endpoint)

        path, query, options = self.endpoint.path, [], {}
        for position in self.all_positions:
            if position.where == "path":
                path = path.replace(f"{{{position.name}}}", id_at(position))
            elif position.where == "query":
                query.append(f"{position.name}={id_at(position)}")
        in_body = {each.name: each for each in self.all_positions if each.where == "body"}
        if in_body:
            values = {name: _json_id(each.kind, id_at(each)) for name, each in in_body.items()}
            options["json"] = document_of(values)
        path = path.replace("{relPath}", "css/default.css")
        path += "?" + "&".join(query) if query else ""
        return await asking.caller(self.endpoint.method, path, **options)


def _json_id(kind: Kind, id_: str) -> int | str:
    return int(id_) if id_.isdigit() else id_


def document_of(values: Mapping[str, int | str]) -> Any:
    """A JSON document with a value at every selector."""
    document: Any = None
    for selector, value in values.items():
        steps = selector.replace("[]", ".[]").strip(".").split(".")
        document = _put(document, steps, value)
    return document


def _put(node: Any, steps: list[str], value: int | str) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if step == "[]":
        return [_put(node[0] if node else None, rest, value)]
    node = node or {}
    return {**node, step: _put(node.get(step), rest, value)}


def _positions(endpoint: Endpoint) -> Iterator[tuple[Position, ...]]:
    """All places of the endpoint; twice where its body has two forms."""
    fixed = [
        Position("path", name, kind)
        for name, parameter in PARAMETERS.items()
        if f"{{{name}}}" in endpoint.path and (kind := parameter.kind) is not None
    ]
    fixed += [Position("query", name, kind) for name, kind in endpoint.query.items()]
    forms: dict[bool, list[Position]] = {}
    for name, kind in endpoint.body.items():
        forms.setdefault(name.startswith("[]"), []).append(Position("body", name, kind))
    for form in forms.values() or [[]]:
        yield (*fixed, *form)


def cases() -> list[Case]:
    """Every place of every endpoint of the catalogue where an object is named."""
    return [
        Case(endpoint, position, positions)
        for endpoint in CATALOGUE
        if endpoint.role is not Role.OPAQUE
        for positions in _positions(endpoint)
        for position in positions
    ]


@pytest.fixture
def every_case() -> list[Case]:
    return cases()

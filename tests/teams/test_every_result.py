"""Whatever form a result has, what it names is from then on the team's, and nobody else's."""

import re
from dataclasses import dataclass
from typing import Any

from gateway.catalogue import CATALOGUE, Role
from gateway.model import Kind, Thing

MAPPER, TEMPLATE = "Promo-EN.OL-datamapper", "letter-ol.OL-template"
MAPPING = f"datamining/{MAPPER}/{{file}}"
OUTPUT = "outputcreation/Print-PDF.OL-outputpreset/{job_set}"
CONTENT: dict[str, Any] = {"contentcreation": {"config": TEMPLATE}}
JOBS: dict[str, Any] = {"jobcreation": {}}
DOCUMENT: dict[str, Any] = {
    "outputcreation": {"config": "Print-PDF.OL-outputpreset", "createOnly": True}
}


PDF = b"%PDF-1.4 1 0 obj << /Type /Page >> endobj"
NUMBER = re.compile(r'(?:^|"identifier": ?|"contentSet": ?)(\d+)')


@dataclass(frozen=True)
class Result:
    """A row that gives results, a start that it is asked about, and what that has left behind."""

    row: str
    start: str
    leaves: Kind | None
    steps: dict[str, Any] | None = None  # of an All-In-One, after its data mapping
    options: tuple[tuple[str, Any], ...] = ()


ALL, DEFAULT = "print/submit", "jobcreation/default"
RESULTS = [
    Result("data_mapping.get_result", MAPPING, Kind.DATA_SET),
    Result("data_mapping.get_result", "datamining/pdfvtcs/{pages}", Kind.CONTENT_SET),
    Result(
        "content_creation.get_result", f"contentcreation/{TEMPLATE}/{{data_set}}", Kind.CONTENT_SET
    ),
    Result("email.get_result", f"contentcreation/email/{TEMPLATE}/{{data_set}}", Kind.CONTENT_SET),
    Result("job_creation.get_result", DEFAULT, Kind.JOB_SET),
    Result("output_creation.get_result", OUTPUT, None),
    Result("output_creation.get_result_text", OUTPUT, None),
    Result("output_creation.get_managed_result", OUTPUT, Kind.FILE),
    Result(
        "output_creation.get_managed_result",
        OUTPUT,
        Kind.FILE,
        options=(("managed_result", "json"),),
    ),
    Result("all_in_one.get_result", ALL, Kind.DATA_SET, {}),
    Result("all_in_one.get_result", ALL, Kind.CONTENT_SET, CONTENT),
    Result("all_in_one.get_result", ALL, Kind.JOB_SET, CONTENT | JOBS),
    Result("all_in_one.get_result_text", ALL, Kind.JOB_SET, CONTENT | JOBS),
    Result("all_in_one.get_result", ALL, None, CONTENT | JOBS | DOCUMENT),
    Result("all_in_one.get_managed_result", ALL, Kind.FILE, CONTENT | JOBS | DOCUMENT),
]
PATHS = {
    Kind.DATA_SET: "/entity/datasets/{}",
    Kind.CONTENT_SET: "/entity/contentsets/{}",
    Kind.JOB_SET: "/entity/jobsets/{}",
    Kind.FILE: "/filestore/file/{}",
}


def test_no_result_is_forgotten() -> None:
    rows = {row.name for row in CATALOGUE if row.role is Role.RESULT}
    assert rows == {result.row for result in RESULTS}


async def test_what_a_result_names_is_the_teams(world: Any) -> None:
    own = {kind.value: id_ for kind, id_ in world.marketing.objects.items()}
    own["pages"] = await world.marketing.caller.upload(PDF, "pages.pdf")
    for result in RESULTS:
        await _check(world, result, own)


async def _check(world: Any, result: Result, own: dict[str, str]) -> None:
    world.stage.simulator.change(**dict(result.options))
    caller, (row,) = world.marketing.caller, [row for row in CATALOGUE if row.name == result.row]
    path = f"/workflow/{result.start}".format(**own)
    operation = await caller.start(path, json=_body(result, own))
    reply = await caller.post(row.path.format(operationId=operation))
    assert reply.status == 200, f"{result}: {reply}"
    record = await world.stage.gateway.ledger.operation(operation)
    assert record.ended
    if result.leaves is None:
        assert record.result == (), str(result)
        return
    id_ = NUMBER.findall(reply.text)[0]
    assert record.result == (Thing(result.leaves, id_),), str(result)
    path = PATHS[result.leaves].format(id_)
    assert (await caller.get(path)).status == 200, str(result)
    assert (await world.billing.caller.get(path)).code == "not_found", str(result)


def _body(result: Result, own: dict[str, str]) -> Any:
    if result.steps is not None:
        return {"datamining": {"identifier": int(own["file"]), "config": MAPPER}} | result.steps
    return {"identifiers": [int(own["content_set"])]} if result.start == DEFAULT else None

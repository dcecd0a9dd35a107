"""Every row of the catalogue that begins an operation does so once under a key, and is written
down for the team."""

from typing import Any

from gateway.catalogue import CATALOGUE
from gateway.model import Kind

MAPPER, TEMPLATE = "Promo-EN.OL-datamapper", "letter-ol.OL-template"
PAGED = "Invoices-PDF.OL-datamapper"
JOBS, OUTPUT = "Invoices.OL-jobpreset", "Print-PDF.OL-outputpreset"
WORKFLOW = "/workflow"


def _requests(have: dict[Kind, str]) -> dict[str, tuple[str, Any]]:
    """Path and body of each start, with the team's own objects."""
    number = {kind: int(id_) for kind, id_ in have.items() if id_.isdigit()}
    file, data_set, job_set = (have[kind] for kind in (Kind.FILE, Kind.DATA_SET, Kind.JOB_SET))
    records = {"identifiers": [number[Kind.DATA_RECORD]]}
    content_sets = {"identifiers": [number[Kind.CONTENT_SET]]}
    page = {"contentitem": number[Kind.CONTENT_ITEM]}
    documents = {"documents": [{"documentpages": [page]}]}
    structure = {"jobs": [{"segments": [{"documentsets": [documents]}]}]}
    mapping = {"identifier": number[Kind.FILE], "config": MAPPER}
    return {
        "data_mapping.process": (f"/datamining/{MAPPER}/{file}", None),
        "data_mapping.process_json": (f"/datamining/{MAPPER}", {"identifier": int(file)}),
        "data_mapping.process_pdfvt_to_data_set": (f"/datamining/pdfvtds/{file}", None),
        "data_mapping.process_pdfvt_to_content_set": (f"/datamining/pdfvtcs/{file}", None),
        "data_mapping.create_content_set": (
            f"/datamining/createcontentset/{file}",
            {"identifier": PAGED},
        ),
        "content_creation.process_by_data_set": (f"/contentcreation/{TEMPLATE}/{data_set}", None),
        "content_creation.process_by_data_record": (f"/contentcreation/{TEMPLATE}", records),
        "email.process_by_data_record": (f"/contentcreation/email/{TEMPLATE}", records),
        "email.process_by_data_set": (f"/contentcreation/email/{TEMPLATE}/{data_set}", None),
        "job_creation.process": (f"/jobcreation/{JOBS}", content_sets),
        "job_creation.process_by_structure": ("/jobcreation", structure),
        "job_creation.process_default": ("/jobcreation/default", content_sets),
        "output_creation.process": (f"/outputcreation/{OUTPUT}/{job_set}", None),
        "output_creation.process_by_job_set": (
            f"/outputcreation/{OUTPUT}",
            {"identifier": number[Kind.JOB_SET]},
        ),
        "output_creation.process_by_job": (
            f"/outputcreation/{OUTPUT}/jobs",
            {"identifiers": [number[Kind.JOB]]},
        ),
        "all_in_one.process": ("/print/submit", {"datamining": mapping}),
        "all_in_one.process_adhoc": (f"/print/{MAPPER}/{TEMPLATE}/{JOBS}/{OUTPUT}", b"[]"),
    }


async def test_a_key_on_every_start(world: Any) -> None:
    stage, caller = world.stage, world.marketing.caller
    stage.simulator.change(operation_seconds=30)
    requests = _requests(world.marketing.objects)
    assert requests.keys() == {row.name for row in CATALOGUE if row.starts}
    for name, (path, body) in requests.items():
        before = len(stage.simulator.record.operations)
        options: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
        options["headers"] = {"Idempotency-Key": name}
        first, second = [await caller.post(f"{WORKFLOW}{path}", **options) for _ in range(2)]
        assert (first.status, second.status) == (202, 202), f"{name}: {first}"
        assert second.headers["operationId"] == first.headers["operationId"], name
        assert second.headers.getall("Link") == first.headers.getall("Link"), name
        other = await caller.post(f"{WORKFLOW}{path}?more=1", **options)
        assert (other.status, other.code) == (422, "idempotency_mismatch"), name
        assert len(stage.simulator.record.operations) == before + 1, name
        operation = await stage.gateway.ledger.operation(first.headers["operationId"])
        assert (operation.team, operation.endpoint) == ("marketing", name)

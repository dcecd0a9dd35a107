"""Managed files by name: a name means the newest file at OL Connect, whoever uploaded it."""

import pytest

from tests.support.stage import Stage

CONFIG = "/filestore/JobCreationConfig?filename="


async def test_a_team_can_use_its_files_by_name(stage: Stage) -> None:
    caller = stage.caller()
    await caller.upload(b'[{"Name":"A"}]', "mine.json")
    assert (await caller.get("/filestore/file/mine.json")).body == b'[{"Name":"A"}]'
    reply = await caller.post(
        "/workflow/datamining/Promo-EN.OL-datamapper", json={"identifier": "mine.json"}
    )
    assert reply.status == 202


@pytest.mark.parametrize("name", ["data.json", "DATA.json", "d\u00e0ta.json", "\uff44ata.json"])
async def test_a_name_that_two_teams_use_is_nobodys(stage: Stage, name: str) -> None:
    billing, marketing = stage.caller("ol-billing"), stage.caller("ol-marketing")
    number = await billing.upload(b"[1]", "data.json")
    reply = await marketing.post("/filestore/DataFile", params={"filename": name}, data=b"[2]")
    assert reply.status == 200
    await marketing.get(f"/filestore/delete/{reply.text}")
    for caller in (billing, marketing):
        assert (await caller.get("/filestore/file/data.json")).code == "not_found"
    assert (await billing.get(f"/filestore/file/{number}")).body == b"[1]"


async def test_an_upload_of_unknown_outcome_takes_the_name_away(stage: Stage) -> None:
    billing, marketing = stage.caller("ol-billing"), stage.caller("ol-marketing")
    await billing.upload(b"[1]", "data.json")
    stage.simulator.faults.add("drop_after_start", path="DataFile")
    await marketing.post("/filestore/DataFile?filename=data.json", data=b"secret")
    assert (await billing.get("/filestore/file/data.json")).code == "not_found"


async def test_a_deleted_files_name_means_what_was_there_before(stage: Stage) -> None:
    caller = stage.caller()
    stage.simulator.engine.add_zero_file("company.bin", 3)
    number = await caller.upload(b"[1]", "company.bin")
    assert (await caller.get("/filestore/file/company.bin")).status == 200
    await caller.get(f"/filestore/delete/{number}")
    assert (await caller.get("/filestore/file/company.bin")).code == "not_found"


async def test_a_name_that_is_a_number_claims_no_number(stage: Stage) -> None:
    billing, marketing = stage.caller("ol-billing"), stage.caller("ol-marketing")
    number = int(await marketing.upload()) + 2
    for name in (str(number), f"+{number}", f"0{number}", "\u2464"):
        await marketing.post("/filestore/DataFile", params={"filename": name}, data=b"x")
    last = await billing.upload()
    assert (await marketing.get(f"/filestore/file/{last}")).code == "not_found"
    assert (await billing.get(f"/filestore/file/{last}")).status == 200
    assert (await marketing.get(f"/filestore/file/+{last}")).code == "ambiguous_path"


async def test_replacing_a_file_does_not_claim_a_name(stage: Stage) -> None:
    billing, marketing = stage.caller("ol-billing"), stage.caller("ol-marketing")
    await billing.upload(b"[1]", "secret.json")
    own = await marketing.upload(b"[2]", "other.json")
    path = f"/filestore/file/{own}?filename=secret.json"
    assert (await marketing.post(path, data=b"[3]")).status == 200
    assert (await marketing.get("/filestore/file/secret.json")).code == "not_found"
    assert (await billing.get("/filestore/file/secret.json")).body == b"[1]"


async def test_a_teams_preset_is_its_own_and_the_operators_everybodys(stage: Stage) -> None:
    billing, marketing = stage.caller("ol-billing"), stage.caller("ol-marketing")
    operators = stage.caller("ol-operators")
    await billing.post(f"{CONFIG}mine.OL-jobpreset", data=b"<preset/>")
    await operators.post(f"{CONFIG}ours.OL-jobpreset", data=b"<preset/>")
    body = {"identifiers": [int(await marketing.content_set())]}
    start = "/workflow/jobcreation"
    assert (await marketing.post(f"{start}/mine.OL-jobpreset", json=body)).code == "not_found"
    assert (await marketing.post(f"{start}/ours.OL-jobpreset", json=body)).status == 202


async def test_a_teams_upload_over_the_companys_preset_runs_for_nobody_else(stage: Stage) -> None:
    billing, marketing = stage.caller("ol-billing"), stage.caller("ol-marketing")
    body = {"identifiers": [int(await marketing.content_set())]}
    path = "/workflow/jobcreation/Invoices.OL-jobpreset"
    for _ in range(2):
        assert (await marketing.post(path, json=body)).status == 202
    await billing.post(f"{CONFIG}Invoices.OL-jobpreset", data=b"<preset/>")
    assert (await marketing.post(path, json=body)).code == "not_found"

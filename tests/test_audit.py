"""The audit journal: what it says, that it says it in order, and that changes to it show."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from gateway import audit as journal_of
from gateway.audit import Journal
from gateway.catalogue import CATALOGUE, SIMPLIFIED, Role
from gateway.cli import main
from gateway.exchange import Exchange
from gateway.problems import NotFound
from gateway.rules import audit
from tests.support.stage import Stage


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journals" / "audit.jsonl"


@pytest.fixture
def journalled(path: Path) -> Stage:
    return Stage(replace={"log: {requests: none}": f'log: {{requests: none, audit: "{path}"}}'})


def _events(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def _verified(path: Path) -> audit.Verdict:
    with path.open("rb") as lines:
        return audit.verify(lines)


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def _refusal(number: int = 0) -> Exchange:
    exchange = Exchange("GET", "/", 0.0, f"request-{number}", "")
    exchange.problem = NotFound()
    return exchange


async def _write(path: Path, count: int) -> None:
    journal = await Journal.open(path, lambda: 0.0)
    for number in range(count):
        journal.write(_refusal(number))
    await journal.close()


async def test_what_changes_something_and_what_is_refused_is_written_down(
    journalled: Stage, path: Path
) -> None:
    async with journalled as stage:
        caller = stage.caller(subject="jane")
        job = await caller.job()
        await caller.put(f"/entity/jobs/{job}/properties", json={"id": int(job), "properties": []})
        await caller.get(f"/entity/jobs/{job}/properties")
        await stage.caller("ol-marketing").get(f"/entity/jobs/{job}")
        file = await caller.upload()
        operation = await caller.start(f"/workflow/datamining/Promo-EN.OL-datamapper/{file}")
        await caller.post(f"/workflow/datamining/cancel/{operation}")
        await caller.post("/entity/jobsets/1/delete")
        await stage.session.get(stage.url + "/rest/serverengine/entity/jobs/1")
    events = _events(path)
    said = [(event["event"], event["endpoint"], event["outcome"]) for event in events]
    assert said[-7:] == [
        ("write", "job_entity.update_properties", "done"),
        ("refusal", "job_entity.get_job_segments", "not_found"),
        ("upload", "file_store.upload_data_file", "done"),
        ("start", "data_mapping.process", "done"),
        ("cancel", "data_mapping.cancel", "done"),
        ("delete", "job_set_entity.delete_job_set", "done"),
        ("refusal", "job_entity.get_job_segments", "token_missing"),
    ]
    write, refusal, start = events[-7], events[-6], events[-4]
    assert write["ids"] == [f"job:{job}", f"job:{job}"]
    assert (write["issuer"], write["subject"], write["team"]) == ("corporate", "jane", "billing")
    assert (refusal["team"], refusal["ids"]) == ("marketing", [f"job:{job}"])
    assert start["operation_id"] == operation
    assert all(event["request_id"] and event["time"] for event in events)
    assert _verified(path).line is None


def test_whatever_changes_something_on_either_face_is_an_event() -> None:
    reading = {Role.LOGIN, Role.SEARCH, Role.PREVIEW, Role.RESULT, Role.READ}
    changing = {row.name for row in CATALOGUE if row.method != "GET" and row.role not in reading}
    changing |= {row.name for row in SIMPLIFIED if row.method != "GET"}
    deleting = {row.name for row in CATALOGUE if row.role is Role.DELETE}
    assert changing | deleting == journal_of._EVENTS.keys()


async def test_a_restart_goes_on_with_the_chain(path: Path) -> None:
    for _ in range(3):
        await _write(path, 2)
    assert _verified(path) == audit.Verdict(6)
    assert _events(path)[0]["previous"] == audit.FIRST


async def test_several_processes_share_one_chain(path: Path) -> None:
    await asyncio.gather(*(_write(path, 50) for _ in range(4)))
    assert _verified(path) == audit.Verdict(200)


async def test_a_torn_line_is_kept_without_breaking_the_chain(path: Path) -> None:
    await _write(path, 2)
    with path.open("ab") as file:
        file.write(b'{"previous": "12')
    await _write(path, 1)
    assert _verified(path) == audit.Verdict(4)
    assert _events(path)[2]["text"] == '{"previous": "12'


async def test_very_long_lines_are_found_again(path: Path) -> None:
    _put(path, audit.line_of({"text": "x" * 300_000}, audit.FIRST) + b"\n")
    await _write(path, 1)
    assert _verified(path) == audit.Verdict(2)


async def test_a_full_queue_is_owned_up_to(
    path: Path, monkeypatch: pytest.MonkeyPatch, until: Any
) -> None:
    monkeypatch.setattr("gateway.audit._QUEUED_EVENTS", 3)
    journal = Journal(path, lambda: 0.0)
    for number in range(5):
        journal.write(_refusal(number))
    await asyncio.to_thread(journal._prepare)
    journal._thread.start()
    await until(journal._queue.empty)
    journal.write(_refusal(9))
    await journal.close()
    assert [event.get("lost_before") for event in _events(path)] == [None] * 3 + [2]


async def test_a_journal_that_cannot_be_written_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        await Journal.open(tmp_path / "file" / "audit.jsonl", lambda: 0.0)


def _journal(count: int) -> list[bytes]:
    def lines() -> Iterator[bytes]:
        previous = audit.FIRST
        for number in range(count):
            line = audit.line_of({"event": "start", "number": number}, previous)
            previous = audit.digest(line)
            yield line + b"\n"

    return list(lines())


@given(st.integers(0, 7), st.data())
def test_every_change_but_at_the_end_shows(at: int, data: st.DataObject) -> None:
    lines = _journal(9)
    change = data.draw(st.sampled_from(["drop", "swap", "edit", "repeat", "insert"]))
    bad = at + 2
    match change:
        case "drop":
            del lines[at]
            bad = at + 1
        case "swap":
            lines[at], lines[at + 1] = lines[at + 1], lines[at]
            bad = at + 1
        case "edit":
            lines[at] = lines[at].replace(b"start", b"other")
        case "repeat":
            lines.insert(at, lines[at])
        case "insert":
            lines.insert(at, b'{"previous":"x"}\n')
            bad = at + 1
    assert audit.verify(lines).line == bad


@pytest.mark.parametrize("line", [b"no json\n", b"[1]\n", b'{"previous": "0"}\n', b"{}"])
def test_what_is_no_line_is_named(line: bytes) -> None:
    assert audit.verify([line]).line == 1


async def test_the_command_names_the_first_bad_line(path: Path) -> None:
    await _write(path, 4)
    good = CliRunner().invoke(main, ["audit", "verify", str(path)])
    assert (good.exit_code, good.output) == (0, f"{path}: good (4 lines)\n")
    with path.open("rb") as file:
        lines = list(file)
    _put(path, b"".join([lines[0], *lines[2:]]))
    bad = CliRunner().invoke(main, ["audit", "verify", str(path)])
    assert bad.exit_code == 1
    assert f"{path}:2: the line before it was changed" in bad.output

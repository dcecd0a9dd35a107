"""The benchmarks of the ledger and of starts still fit what they measure."""

import pytest

from bench import ledger, starts


async def test_of_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(starts, "ROUNDS", 1)
    await starts.main(4)
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[:2] for line in lines] == [
        ["record", "1"],
        ["record", "64"],
        ["begin", "1"],
        ["begin", "64"],
    ]


async def test_of_the_ledger(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ledger, "ROUNDS", 5)
    monkeypatch.setattr(ledger, "EXPIRY_SECONDS", 0.2)
    monkeypatch.setattr(ledger, "SETTLING_SECONDS", 0.0)
    await ledger.main((200, 500))
    shown = capsys.readouterr().out
    assert all(f"  {question} " in shown for question in ledger.QUESTIONS)
    assert "rows expired and gone" in shown

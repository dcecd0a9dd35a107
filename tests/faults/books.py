"""What callers were told, held against what OL Connect says it was asked and has done."""

import asyncio
import hashlib
import re
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.ledger import Ledger
from gateway.model import Kind, Thing
from gateway.simulator.record import RequestEntry
from gateway.stores import open_store
from tests.support.apart import FaultyApart
from tests.support.stage import REST

# Housekeeping looks for lost starts every five seconds, for some only when their answer cannot come
# any more, and OL Connect's clock is its own.
FOUND_SECONDS = 45.0

FORMS = re.compile(
    rf"(GET|PUT) {REST}/entity/datasets/\d+/properties"
    rf"|GET {REST}/entity/datasets"
    rf"|(GET|HEAD) {REST}/filestore/file/\d+"
    rf"|POST {REST}/filestore/DataFile\?filename=\d+"
    rf"|POST {REST}/workflow/datamining/Promo-EN\.OL-datamapper/\d+\?key=k\d+"
    rf"|POST {REST}/workflow/contentcreation/letter-ol\.OL-template/\d+\?key=k\d+"
    rf"|GET {REST}/workflow/\w+/(getOperations|getProgress/[\w-]+)"
    rf"|POST {REST}/authentication/login|HEAD {REST}/authentication"
)
"""All that callers were authorised to ask for, and what the gateway asks by itself."""


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Books:
    """Of one spell of weather. Starts are told apart by a key in their query, bodies by their hash.

    What a start was told is an operation's id, "no", "unknown", or "" where it is neither.
    """

    starters: dict[str, str] = field(default_factory=dict)
    told: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    sent: dict[str, tuple[str, str]] = field(default_factory=dict)  # digest: method, path
    acknowledged: set[str] = field(default_factory=set)
    uploaded: dict[str, tuple[str, str]] = field(default_factory=dict)  # file: team, digest

    def send(self, body: bytes, method: str, path: str) -> str:
        self.sent[digest(body)] = (method, path)
        return digest(body)

    async def balance(self, stage: FaultyApart) -> Counter[str]:
        """Fails where they differ; returns how much there was to compare."""
        self._forms(stage)
        applied = self._bodies(stage)
        begun = self._starts(stage)
        owners = {Thing(Kind.OPERATION, id_): self.starters[key] for key, id_ in begun.items()}
        owners |= {Thing(Kind.FILE, id_): team for id_, (team, _) in self.uploaded.items()}
        await _found(stage, owners)
        known = sum(begun.get(key) in answers for key, answers in self.told.items())
        return Counter(begun=len(begun), known=known, applied=applied, files=len(self.uploaded))

    def _forms(self, stage: FaultyApart) -> None:
        """Nothing has reached OL Connect in another form than was authorised."""
        for entry in stage.simulator.record.requests:
            asked = f"{entry.method} {entry.raw_path}"
            assert FORMS.fullmatch(asked), asked

    def _bodies(self, stage: FaultyApart) -> int:
        """No write twice, no answered one lost, and no part of one taken for the whole."""
        arrived: Counter[str] = Counter()
        for entry in stage.simulator.record.requests:
            if not entry.body_size or not _took_effect(entry):
                continue
            path = entry.raw_path.removeprefix(REST)
            assert self.sent.get(entry.body_sha256) == (entry.method, path), entry
            arrived[entry.body_sha256] += 1
        assert set(arrived.values()) <= {1}, "written twice"
        assert self.acknowledged <= set(arrived), "lost a write"
        for id_, (_, expected) in self.uploaded.items():
            content = stage.simulator.engine.files.get(id_).content
            assert digest(content.read()) == expected, "kept something else"
        return arrived.total()

    def _starts(self, stage: FaultyApart) -> dict[str, str]:
        """Key to operation. None twice, and each as its caller was told."""
        begun: dict[str, str] = {}
        for entry in stage.simulator.record.requests:
            if entry.operation_id:
                key = entry.raw_path.rpartition("?key=")[2]
                assert key not in begun, f"{key} started twice"
                begun[key] = entry.operation_id
        assert len(begun) == len(stage.simulator.record.operations)
        for key, answers in self.told.items():
            ids = set(answers) - {"no", "unknown", ""}
            assert ids <= {begun.get(key)}, f"{key} was told of another's operation: {answers}"
            assert set(answers) != {"no"} or key not in begun, f"{key} had begun after all"
        return begun


def _took_effect(entry: RequestEntry) -> bool:
    return 200 <= entry.status < 300 or entry.fault == "drop_after_start"


async def _found(stage: FaultyApart, expected: Mapping[Thing, str]) -> None:
    """Each operation and file is its team's, by what the ledger says: soon, and nobody else's."""
    store = await open_store(stage.store_url, base=stage.folder)
    ledger, things = Ledger(store, time.time), list(expected)
    deadline = time.monotonic() + FOUND_SECONDS
    try:
        while True:
            owners = dict(zip(things, await ledger.owners(things), strict=True))
            lost = {thing for thing, owner in owners.items() if owner is None}
            assert all(owner in (None, expected[thing]) for thing, owner in owners.items())
            if not lost:
                return
            assert time.monotonic() < deadline, f"{len(lost)} lost: {sorted(map(str, lost))[:5]}"
            await asyncio.sleep(0.2)
    finally:
        await store.close()

"""Callers of two teams who do a bit of everything, and keep books on what they are told."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from time import monotonic
from typing import Any

import aiohttp

from tests.faults.books import Books
from tests.support.apart import FaultyApart
from tests.support.stage import Reply, TestCaller

TRIES = 3
PAUSE_SECONDS = 0.2  # after what did not work; otherwise an open breaker would get most requests
# Larger than what is taken in whole before it is passed on.
LARGE = bytes(range(256)) * 600
# A broken line, an open breaker, a full queue, a first try still under way; 500 is OL Connect's.
EXPECTED = {200, 202, 409, 500, 502, 503, 504}
OL_CONNECTS_OWN = b"Fault on request"
OF_STRANGERS = {401, 503}


class Patient(TestCaller):
    """Asks again where the store took too long to answer, before anything had begun."""

    async def __call__(self, method: str, path: str, **options: Any) -> Reply:
        reply = await super().__call__(method, path, **options)
        while reply.status == 503:
            await asyncio.sleep(PAUSE_SECONDS)
            reply = await super().__call__(method, path, **options)
        return reply


@dataclass
class Team:
    """What one team has to work with. ``start`` is of a service that only this team uses: of two
    lost starts of one service at the same moment nobody can say which was whose."""

    name: str
    caller: TestCaller
    data_set: str
    large: str
    start: str
    written: set[str] = field(default_factory=set)
    operation: str = ""

    @property
    def properties(self) -> str:
        return f"/entity/datasets/{self.data_set}/properties"


class Storm:
    """``patience`` is how long callers wait; ``statuses`` are all answers so far, 0 for none."""

    def __init__(self, stage: FaultyApart, seed: int = 1) -> None:
        self.stage = stage
        self.chance = random.Random(seed)
        self.numbers = count(1)
        self.statuses: Counter[int] = Counter()
        self.requests = 0
        self.books = Books()
        self.patience = 60.0
        self.teams: list[Team] = []
        self._deeds: dict[Callable[[Team], Awaitable[bool]], int] = {
            self._list: 14,
            self._read: 18,
            self._progress: 6,
            self._download: 12,
            self._upload: 12,
            self._write: 18,
            self._start_with_key: 12,
            self._start: 6,
            self._pretend: 2,
        }

    async def prepare(self) -> None:
        for name in ("billing", "marketing"):
            caller = Patient(self.stage, self.stage.token(f"ol-{name}"))
            file, data_set = await caller.upload(), await caller.data_set()
            start = f"/workflow/datamining/Promo-EN.OL-datamapper/{file}"
            if name == "marketing":
                start = f"/workflow/contentcreation/letter-ol.OL-template/{data_set}"
            large = await caller.upload(LARGE, "1")
            self.teams.append(Team(name, caller, data_set, large, start))
        self.stage.simulator.change(operation_seconds=120.0)
        self.turn_the_page()

    def turn_the_page(self) -> None:
        """New books, and room at OL Connect, which ends what was running."""
        engine = self.stage.simulator.engine
        for operation in engine.operations.active():
            engine.operations.cancel(operation)
        for id_ in self.books.uploaded:
            engine.files.delete(engine.files.get(id_))
        engine.record.requests = type(engine.record.requests)()
        engine.record.operations = type(engine.record.operations)()
        self.books = Books()
        for team in self.teams:
            team.operation = ""
            # As somebody who has not been seen before: their keys have to be at hand.
            team.caller = self.stage.caller(f"ol-{team.name}", sub=f"user-{next(self.numbers)}")

    async def rage(self, requests: int, callers: int) -> None:
        """So many requests by so many callers, who leave when their patience ends."""
        until = self.requests + requests

        async def caller() -> None:
            while self.requests < until:
                deed = self.chance.choices(list(self._deeds), list(self._deeds.values()))[0]
                worked = False
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with asyncio.timeout(self.patience * self.chance.random() + 0.001):
                        worked = await deed(self.chance.choice(self.teams))
                if not worked:
                    await asyncio.sleep(PAUSE_SECONDS)

        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(caller())

    async def watch(self, requests: int) -> None:
        """Until so many more have been made."""
        until = self.requests + requests
        while self.requests < until:  # noqa: ASYNC110 - they are made in one place, and often
            await asyncio.sleep(0.002)

    async def calm(self, within_seconds: float) -> float:
        """Do everything once for each team until all of it works; returns how long that took."""
        began = monotonic()
        while not await self._all_works():
            assert monotonic() - began < within_seconds, self.statuses
            await asyncio.sleep(0.05)
        return monotonic() - began

    async def _all_works(self) -> bool:
        for team in self.teams:
            for deed in self._deeds:
                try:
                    if not await deed(team):
                        return False
                except aiohttp.ClientError:
                    return False
        return True

    async def _ask(self, team: Team, method: str, path: str, **options: Any) -> Reply:
        self.requests += 1
        try:
            reply = await team.caller(method, path, **options)
        except (aiohttp.ClientError, TimeoutError, asyncio.CancelledError):
            self.statuses[0] += 1
            raise
        self.statuses[reply.status] += 1
        assert reply.status in EXPECTED, (method, path, reply)
        assert reply.status != 500 or OL_CONNECTS_OWN in reply.body, (method, path, reply)
        return reply

    # Deeds: each returns whether it worked

    async def _list(self, team: Team) -> bool:
        reply = await self._ask(team, "GET", "/entity/datasets")
        if reply.status == 200:
            assert reply.json() == {"identifiers": [int(team.data_set)]}
        return reply.status == 200

    async def _read(self, team: Team) -> bool:
        reply = await self._ask(team, "GET", team.properties)
        if reply.status == 200:
            assert {entry["value"] for entry in reply.json()} <= team.written
        return reply.status == 200

    async def _progress(self, team: Team) -> bool:
        if not team.operation:
            return True
        service = team.start.split("/")[2]
        reply = await self._ask(team, "GET", f"/workflow/{service}/getProgress/{team.operation}")
        if reply.status == 200:
            assert reply.text == "done" or 0 <= int(reply.text) <= 100
        return reply.status == 200

    async def _download(self, team: Team) -> bool:
        reply = await self._ask(team, "GET", f"/filestore/file/{team.large}")
        assert reply.status != 200 or reply.body == LARGE
        return reply.status == 200

    async def _upload(self, team: Team) -> bool:
        number = next(self.numbers)
        content = f"{number};".encode() * self.chance.randrange(1, 10_000)
        path = f"/filestore/DataFile?filename={number}"
        sent = self.books.send(content, "POST", path)
        reply = await self._ask(team, "POST", path, data=content)
        if reply.status == 200:
            self.books.acknowledged.add(sent)
            self.books.uploaded[reply.text] = (team.name, sent)
        return reply.status == 200

    async def _write(self, team: Team) -> bool:
        value = str(next(self.numbers))
        properties = [{"name": "n", "value": value}]
        body = json.dumps({"id": int(team.data_set), "properties": properties}).encode()
        sent = self.books.send(body, "PUT", team.properties)
        team.written.add(value)
        headers = {"Content-Type": "application/json"}
        reply = await self._ask(team, "PUT", team.properties, data=body, headers=headers)
        if reply.status == 200:
            self.books.acknowledged.add(sent)
        return reply.status == 200

    async def _start(self, team: Team) -> bool:
        return await self._start_once(team, self._new_key(team), {})

    async def _start_with_key(self, team: Team) -> bool:
        """As a patient client does: the same again, under the same key."""
        key = self._new_key(team)
        for _ in range(TRIES):
            if await self._start_once(team, key, {"Idempotency-Key": key}):
                return True
            await asyncio.sleep(0.05)
        return False

    def _new_key(self, team: Team) -> str:
        key = f"k{next(self.numbers)}"
        self.books.starters[key] = team.name
        return key

    async def _start_once(self, team: Team, key: str, headers: dict[str, str]) -> bool:
        told = ""
        try:
            reply = await self._ask(team, "POST", f"{team.start}?key={key}", headers=headers)
            if reply.status == 202:
                told = team.operation = reply.headers["operationId"]
            else:
                told = reply.json()["error"].get("started", "")
        finally:
            self.books.told[key].append(told)
        return reply.status == 202

    async def _pretend(self, team: Team) -> bool:
        """A token that no key of the issuer's has signed."""
        stranger = TestCaller(self.stage, self.stage.issuer.mint(header={"kid": "nobody's"}))
        self.requests += 1
        reply = await stranger.get("/entity/datasets")
        assert reply.status in OF_STRANGERS, reply
        return True

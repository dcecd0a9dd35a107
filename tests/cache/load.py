"""Random reads, writes and deletions through several gateways; each read is judged."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from gateway.simulator.entities import Kind
from tests.cache.history import History, Register

REST = "/rest/serverengine/entity"
BATCH = "/api/v1/jobs/properties?ids="

# After so long, a write whose caller was given no answer can no longer be carried out: not even by
# a gateway that its machine holds up for seconds.
SETTLED_SECONDS = 15.0


@dataclass
class Load:
    """Callers of several gateways. ``tally`` counts outcomes, ``errors`` are moments of 5xx.

    ``number`` counts actions: a batch is as many as it has jobs, each of which is judged.
    """

    world: Any
    urls: list[str]
    seed: int = 1
    history: History = field(default_factory=History)
    tally: Counter[str] = field(default_factory=Counter)
    errors: list[float] = field(default_factory=list)
    objections: list[str] = field(default_factory=list)
    number: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.jobs = [self._new_job() for _ in range(60)]
        self.sets: list[tuple[int, list[int]]] = []
        for _ in range(10):
            self.add_set()

    def _new_job(self) -> int:
        number: int = self.world.simulator.engine.entities.add(Kind.JOB).id
        return number

    def add_set(self) -> None:
        entities = self.world.simulator.engine.entities
        data_set = entities.add(Kind.DATA_SET, created=time.time())
        records = [entities.add(Kind.DATA_RECORD, data_set).id for _ in range(2)]
        self.sets.append((data_set.id, records))

    async def run(self, callers: int, actions: float) -> None:
        """So many callers, until as many actions are done or ``stop`` was called."""
        self._last = self.number + actions
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(self._caller())

    def stop(self) -> None:
        self._last = 0

    async def _caller(self) -> None:
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(headers=self.world.headers(), timeout=timeout) as session:
            while self.number < self._last:
                await self._act(session)

    async def _act(self, session: aiohttp.ClientSession) -> None:
        self.number += 1
        if self.chance.random() < 0.02:
            # What is in doubt is not cached for a minute: soon nothing would be.
            self.jobs[self.chance.randrange(len(self.jobs))] = self._new_job()
        gateway = self.chance.choice(self.urls)
        url, deed = gateway + REST, self.chance.random()
        if deed < 0.4:
            await self._read_many(session, gateway + BATCH)
        elif deed < 0.85:
            await self._read(session, url, self._register())
        elif deed < 0.93:
            await self._put(session, url, self._register())
        elif deed < 0.98:
            await self._put_many(session, url)
        elif deed < 0.997:
            await self._delete(session, url)
        else:
            await self._leave(url)

    def _register(self) -> Register:
        # Few are asked for often, as in life; otherwise writes would hardly ever meet reads.
        if self.chance.random() < 0.8:
            job = self.jobs[min(int(self.chance.expovariate(0.1)), len(self.jobs) - 1)]
            return f"/jobs/{job}/{self.chance.choice(['properties', 'metadata'])}"
        data_set, records = self.chance.choice(self.sets)
        if self.chance.random() < 0.5:
            return f"/datasets/{data_set}/properties"
        return f"/datarecords/{self.chance.choice(records)}/properties"

    async def _read(self, session: aiohttp.ClientSession, url: str, register: Register) -> None:
        began = time.monotonic()
        status, body, cached = await self._ask(session, "GET", url + register)
        if status == 200:
            listed = {each["name"]: each["value"] for each in body}
            value = listed.get("v", "")
        elif status == 404:
            value = None
        else:
            return
        self.tally[f"read {cached}"] += 1
        self._judge(register, value, began, f"{url} ({cached})")

    async def _read_many(self, session: aiohttp.ClientSession, url: str) -> None:
        jobs = self.chance.sample(self.jobs, self.chance.randint(5, 40))
        self.number += len(jobs) - 1
        began = time.monotonic()
        status, body, _ = await self._ask(session, "GET", url + ",".join(map(str, jobs)))
        if status != 200:
            return
        for job in jobs:
            if str(job) not in body:
                self.tally["of a batch: failed"] += 1
                continue
            self.tally["of a batch: read"] += 1
            value = body[str(job)].get("v", "")
            self._judge(f"/jobs/{job}/properties", value, began, url)

    def _judge(self, register: Register, value: str | None, began: float, where: str) -> None:
        if objection := self.history.objection(register, value, began):
            self.objections.append(f"{objection}, at {where}")

    async def _put(self, session: aiohttp.ClientSession, url: str, register: Register) -> None:
        body = _list(register.split("/")[2], str(self.number))
        await self._write(session, "PUT", url + register, [register], str(self.number), json=body)

    async def _put_many(self, session: aiohttp.ClientSession, url: str) -> None:
        jobs = self.chance.sample(self.jobs, self.chance.randint(1, 5))
        registers = [f"/jobs/{job}/properties" for job in jobs]
        body = [_list(job, str(self.number)) for job in jobs]
        path = f"{url}/jobs/properties"
        await self._write(session, "PUT", path, registers, str(self.number), json=body)

    async def _delete(self, session: aiohttp.ClientSession, url: str) -> None:
        data_set, records = self.chance.choice(self.sets)
        registers = [f"/datasets/{data_set}/properties"]
        registers += [f"/datarecords/{record}/properties" for record in records]
        await self._write(session, "POST", f"{url}/datasets/{data_set}/delete", registers, None)
        if len(self.sets) > 30:
            self.sets.pop(0)
        self.add_set()

    async def _leave(self, url: str) -> None:
        """A writer who does not wait for the answer."""
        timeout = aiohttp.ClientTimeout(total=self.chance.uniform(0.001, 0.01))
        async with aiohttp.ClientSession(headers=self.world.headers(), timeout=timeout) as session:
            await self._put(session, url, self._register())

    async def _write(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: str,
        registers: list[Register],
        value: str | None,
        **options: Any,
    ) -> None:
        began = time.monotonic()
        writes = [self.history.begin(register, value, began) for register in registers]
        status, _, _ = await self._ask(session, method, url, **options)
        ended = time.monotonic()
        is_known = 200 <= status < 500
        for written in writes:
            written.ended = ended if is_known else ended + SETTLED_SECONDS
            written.was_answered = 200 <= status < 300
        self.tally["write answered" if is_known else "write of unknown fate"] += 1

    async def _ask(
        self, session: aiohttp.ClientSession, method: str, url: str, **options: Any
    ) -> tuple[int, Any, str]:
        """Status (0: no answer), body and how the cache came by it."""
        try:
            async with session.request(method, url, **options) as response:
                status = response.status
                cached = response.headers.get("Cache-Status", "olgw; none").split("; ")[1]
                body = await response.json(content_type=None) if status == 200 else None
        except TimeoutError:
            self.tally["left"] += 1
            return 0, None, ""
        except (aiohttp.ClientError, OSError) as error:
            self.tally[type(error).__name__] += 1
            self.errors.append(time.monotonic())
            return 0, None, ""
        if status >= 500:
            self.tally[str(status)] += 1
            self.errors.append(time.monotonic())
        return status, body, cached


def _list(entity: object, value: str) -> dict[str, Any]:
    return {"id": int(str(entity)), "properties": [{"name": "v", "value": value}]}

"""Properties of many jobs in one request."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway import answers
from gateway.api import Handler, asking, content, values
from gateway.api.entities import turn_of
from gateway.api.openapi.models import MOST_JOBS
from gateway.api.turns import Turns
from gateway.api.values import Values
from gateway.cache.flights import outcome
from gateway.catalogue import ENDPOINTS
from gateway.facets import Facets
from gateway.front import Passage
from gateway.model import Kind, Thing
from gateway.ownership import Ownership
from gateway.problems import InvalidParameters, NotFound, Problem
from gateway.rules import caching, paths
from gateway.rules.links import Origins
from gateway.tasks import TaskSet

_CONCURRENT_READS = 16
_READ = ENDPOINTS["job_entity.get_properties"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Reads through the cache, writes past it. ``tasks`` carry writes to their end."""

    facets: Facets
    ownership: Ownership
    origins: Origins
    turns: Turns
    tasks: TaskSet

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "api.get_jobs_properties": self.read,
            "api.update_jobs_properties": self.update,
        }

    async def read(self, passage: Passage) -> answers.Answer:
        """``{"1": {…}, "problems": {"2": {…}}}``: what cannot be had keeps nothing else back."""
        jobs = [Thing(Kind.JOB, id_) for id_ in _ids(passage.raw_query)]
        passage.exchange.things += jobs
        usable = await self.ownership.usable(passage.team, jobs)
        turns = asyncio.Semaphore(_CONCURRENT_READS)

        async def one(job: Thing) -> Values | Problem:
            async with turns:
                return await self._one(passage, job) if job in usable else NotFound()

        found = await asyncio.gather(*map(one, jobs))
        return answers.json(passage.exchange, _document(passage, jobs, found))

    async def _one(self, passage: Passage, job: Thing) -> Values | Problem:
        anew = caching.asks_anew(passage.header("Cache-Control"), passage.header("Pragma"))
        path = asking.path_of(_READ, job.id)
        try:
            recalled = await self.facets.read(passage, job, path, anew=anew)
            return values.of_list(values.succeeded(recalled.fetched, self.origins))
        except Problem as problem:
            return problem

    async def update(self, passage: Passage) -> answers.Answer:
        """All of them in one call to OL Connect, or none."""
        changes = _changes(await content.read(passage, content.JSON))
        jobs = [Thing(Kind.JOB, id_) for id_ in changes]
        passage.exchange.things += jobs
        await self.ownership.require(passage.team, jobs)
        return await outcome(self.tasks.start(self._update(passage, jobs, changes)))

    async def _update(
        self, passage: Passage, jobs: Sequence[Thing], changes: Mapping[str, Values]
    ) -> answers.Whole:
        document = [
            {"id": int(id_), "properties": values.as_list(change)}
            for id_, change in changes.items()
        ]
        call = asking.writing(passage, asking.underlying(passage).template, document)
        async with self.turns.take(turn_of(job, "properties") for job in jobs):
            fetched = await self.facets.change(passage, call, jobs, Kind.JOB)
        values.written(fetched, self.origins)
        return answers.json(passage.exchange, {"updated": [int(id_) for id_ in changes]})


def _ids(raw_query: str) -> list[str]:
    """Of ``?ids=1,2``, each once. Raises InvalidParameters, MalformedRequest."""
    lists = paths.query_values(raw_query, "ids")
    ids = list(dict.fromkeys(lists[0].split(","))) if len(lists) == 1 else []
    _check(ids, "ids")
    return ids


def _changes(document: Any) -> dict[str, Values]:
    """Raises InvalidParameters, naming what is wrong: ``7.start``."""
    if not isinstance(document, dict):
        raise InvalidParameters('Expected an object {"<job id>": {"name": "value"}}.')
    _check(list(document), None)
    return {id_: values.of_document(change, within=f"{id_}.") for id_, change in document.items()}


def _check(ids: Sequence[str], parameter: str | None) -> None:
    if not 1 <= len(ids) <= MOST_JOBS:
        raise InvalidParameters(f"Name 1 to {MOST_JOBS} jobs: ids=1,2,3.", parameter=parameter)
    for id_ in ids:
        if not asking.is_id(id_):
            raise InvalidParameters(
                "A job's id is a number without leading zeros.", parameter=parameter or id_
            )


def _document(
    passage: Passage, jobs: Sequence[Thing], found: Sequence[Values | Problem]
) -> dict[str, Any]:
    """``problems`` is no id, so it cannot be taken for a job."""
    document: dict[str, Any] = {}
    problems = {}
    for job, outcome_ in zip(jobs, found, strict=True):
        if isinstance(outcome_, Problem):
            problems[job.id] = answers.problem_details(passage.exchange, outcome_)
        else:
            document[job.id] = dict(sorted(outcome_.items()))
    return document | {"problems": problems} if problems else document

"""What is inside a job: its segments, and the content items it was made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway import answers
from gateway.api import Handler, asking, values
from gateway.facets import Facets
from gateway.front import Passage
from gateway.learning import Learning, Told
from gateway.ownership import Ownership
from gateway.rules.links import Origins


@dataclass(frozen=True, slots=True)
class Contents:
    """Reads that are never cached; what they tell of becomes the team's."""

    facets: Facets
    ownership: Ownership
    learning: Learning
    origins: Origins

    def handlers(self) -> Mapping[str, Handler]:
        return {"api.get_job": self.job, "api.get_job_contents": self.job_contents}

    async def job(self, passage: Passage) -> answers.Answer:
        segments = await self._inside(passage)
        job = int(passage.parameters["jobId"])
        return answers.json(passage.exchange, {"id": job, "segments": segments})

    async def job_contents(self, passage: Passage) -> answers.Answer:
        return answers.json(passage.exchange, {"items": await self._inside(passage)})

    async def _inside(self, passage: Passage) -> list[Any]:
        """Raises NotFound, UpstreamInvalidResponse."""
        endpoint = asking.underlying(passage)
        path = asking.path_of(endpoint, passage.parameters["jobId"])
        await self.ownership.require(passage.team, passage.named)
        fetched = await self.facets.send(passage, asking.reading(passage, path))
        body = values.succeeded(fetched, self.origins)
        found = values.identifiers(body)
        told = Told(endpoint, passage.parameters, "", fetched.status, dict(fetched.lines), body)
        await self.learning.learn(passage.team, told)
        return found

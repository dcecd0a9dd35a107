"""Who the caller is here, and what the caller's teams may do and run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway import answers
from gateway.api import Handler
from gateway.front import Passage
from gateway.ledger import Ledger
from gateway.limits import Limiter, rate_of
from gateway.rules.policy import TeamRules
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Me:
    """Of the token's claims nothing is repeated but issuer and subject."""

    limiter: Limiter
    ledger: Ledger

    def handlers(self) -> Mapping[str, Handler]:
        return {"api.me": self.me, "api.list_pipelines": self.pipelines}

    async def me(self, passage: Passage) -> answers.Answer:
        caller = passage.caller
        assert caller is not None
        settings = passage.regime.settings
        document = {
            "subject": caller.subject,
            "issuer": settings.issuers[caller.issuer].issuer,
            "expires": int(caller.expires),
            "teams": [await self._team(settings, team) for team in passage.teams],
        }
        return answers.json(passage.exchange, document, lines=[("Cache-Control", "no-store")])

    async def _team(self, settings: Settings, team: TeamRules) -> dict[str, Any]:
        return {
            "name": team.name,
            "objects": team.settings.objects,
            "pipelines": [name for name in settings.pipelines if team.may_run(name)],
            "endpoints": sorted(team.endpoints()),
            "limits": await self._limits(team),
        }

    async def _limits(self, team: TeamRules) -> dict[str, Any]:
        """What is left at this moment; null where there is no limit."""
        limits = team.settings.limits
        rate = rate_of(limits)
        requests = None
        if rate is not None:
            left = self.limiter.remaining(team.name, limits)
            requests = {"perSecond": rate.per_second, "burst": rate.burst, "remaining": left}
        operations = None
        if (most := limits.running_operations) is not None:
            running = await self.ledger.count_running(team.name)
            operations = {"limit": most, "remaining": max(0, most - running)}
        return {"requests": requests, "runningOperations": operations}

    async def pipelines(self, passage: Passage) -> answers.Answer:
        """Those that some team of the caller's may run, and which."""
        runnable = []
        for name, pipeline in passage.regime.settings.pipelines.items():
            teams = [team.name for team in passage.teams if team.may_run(name)]
            if teams:
                runnable.append(
                    {"name": name, "contentType": pipeline.content_type, "teams": teams}
                )
        return answers.json(passage.exchange, {"pipelines": runnable})

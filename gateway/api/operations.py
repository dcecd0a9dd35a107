"""Operations: the team's list, one of them, and its cancellation."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from gateway import answers, requests
from gateway.api import Handler, visible
from gateway.api.starting import wait_of
from gateway.api.views import Views
from gateway.catalogue import ENDPOINTS
from gateway.connect import Connect
from gateway.front import Passage
from gateway.learning import Learning, Told, problem_of
from gateway.ledger import Ledger
from gateway.model import Status
from gateway.operation import Operation
from gateway.problems import InvalidParameters, UpstreamInvalidResponse
from gateway.rules import operations, paths
from gateway.upstream.call import Call
from gateway.watch import Watcher

_DEFAULT_LIMIT = 50
_HIGHEST_LIMIT = 200
# How far back a list with a status looks; running ones are found whatever their age.
_SEARCHED = 2000
_LOOKED_AT = 20
_ANSWER_BYTES = 64 * 1024
_NO_STORE = ("Cache-Control", "no-store")


@dataclass(frozen=True, slots=True)
class Operations:
    connect: Connect
    ledger: Ledger
    learning: Learning
    watcher: Watcher
    views: Views

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "api.list_operations": self.list,
            "api.get_operation": self.get,
            "api.cancel_operation": self.cancel,
        }

    async def list(self, passage: Passage) -> answers.Answer:
        """How all of them stand now, unless very many are running. Raises InvalidParameters."""
        limit, status = _limit(passage), _status(passage)
        team = passage.team
        # Those that began first are the likeliest to have ended without anybody asking.
        running = await self.ledger.running(team.name, limit=_LOOKED_AT)
        await asyncio.gather(*map(self.watcher.refreshed, running))
        if status is Status.RUNNING:
            found = (await self.ledger.running(team.name, limit=_SEARCHED))[::-1]
        else:
            wanted = limit if status is None else _SEARCHED
            found = await self.ledger.operations(team.name, limit=wanted)
        shown = [
            self.views.operation(operation)
            for operation in found
            if status in (None, operation.status) and visible.may(team, operation, "get_progress")
        ]
        return answers.json(passage.exchange, {"operations": shown[:limit]}, lines=[_NO_STORE])

    async def get(self, passage: Passage) -> answers.Answer:
        """With ``Prefer: wait`` when it ends, or when the time is over. Raises Draining."""
        operation = await visible.find(self.ledger, passage, "get_progress")
        lines = [_NO_STORE]
        wait = wait_of(passage)
        if wait is not None:
            operation = await self.watcher.until_ended(operation, wait)
            lines.append(("Preference-Applied", f"wait={wait}"))
        else:
            operation = await self.watcher.refreshed(operation)
        if not operation.ended:
            lines.append(("Retry-After", "1"))
        return answers.json(passage.exchange, self.views.operation(operation), lines=lines)

    async def cancel(self, passage: Passage) -> answers.Answer:
        """202 with the Operation as it is then; nothing happens to one that has ended."""
        operation = await visible.find(self.ledger, passage, "cancel")
        if not operation.ended:
            await self._cancel(passage, operation)
            operation = await self.ledger.operation(operation.id) or operation
        lines = [_NO_STORE, ("Location", self.views.links(operation)["self"])]
        document = self.views.operation(operation)
        return answers.json(passage.exchange, document, status=202, lines=lines)

    async def _cancel(self, passage: Passage, operation: Operation) -> None:
        team = passage.team
        path = operations.path_of(operation.service, "cancel", operation.id)
        lines = [requests.IDENTITY, *requests.identifying_lines(passage.exchange)]
        call = Call("POST", path, headers=lines)
        async with self.connect.ask(
            call, team=team.name, credential=team.credential, repeatable=False
        ) as response:
            body = await self.connect.upstream.read(response, _ANSWER_BYTES)
            passage.exchange.upstream_seconds += call.seconds
            endpoint = ENDPOINTS[f"{operation.service}.cancel"]
            parameters = {"operationId": operation.id}
            told = Told(endpoint, parameters, "", response.status, response.headers, body)
        if told.succeeded:
            await self.learning.learn(team, told)
        elif told.status == 404:
            # It has just ended; how, is found out by asking for its progress.
            self.watcher.take_interest(operation, at_once=True)
        else:
            message = problem_of(told.status, body)["detail"]
            raise UpstreamInvalidResponse(message or "OL Connect did not cancel the operation.")


def _limit(passage: Passage) -> int:
    text = _one(passage, "limit")
    if text is None:
        return _DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidParameters("limit must be a whole number.", parameter="limit")
    if not 1 <= int(text) <= _HIGHEST_LIMIT:
        raise InvalidParameters(f"limit must be 1 to {_HIGHEST_LIMIT}.", parameter="limit")
    return int(text)


def _status(passage: Passage) -> Status | None:
    text = _one(passage, "status")
    if text is None:
        return None
    try:
        return Status(text)
    except ValueError as error:
        known = ", ".join(Status)
        raise InvalidParameters(f"status must be one of {known}.", parameter="status") from error


def _one(passage: Passage, name: str) -> str | None:
    values = paths.query_values(passage.raw_query, name)
    if len(values) > 1:
        raise InvalidParameters(f"{name} may be given once.", parameter=name)
    return values[0] if values else None

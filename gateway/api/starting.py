"""What all starts of the simplified face have in common: once per key, an Operation, or its result
for those who wait."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from gateway import answers
from gateway.api.results import Lines, Results
from gateway.api.views import Views
from gateway.attempts import Answer
from gateway.catalogue import Endpoint
from gateway.front import Passage
from gateway.learning import problem_of
from gateway.model import Kind, Status
from gateway.operation import Operation
from gateway.problems import Draining, NotFound, Problem, UpstreamOverloaded
from gateway.rules import prefer
from gateway.starts import Start, Starts
from gateway.watch import Watcher

Refused = Callable[[int, str], Problem]
"""Makes a problem of the status and message by which OL Connect refused a start."""

_OVERLOADED = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Starting:
    starts: Starts
    watcher: Watcher
    views: Views
    results: Results

    async def admit(self, passage: Passage) -> None:
        """Raises TooManyOperations; Draining for who would wait for a result."""
        if wait_of(passage) and self.watcher.draining:
            raise Draining(headers={"Retry-After": "1"})
        team, key = passage.team, passage.header("Idempotency-Key")
        await self.starts.admit(team.name, team.settings.limits, key)

    async def begin(self, passage: Passage, start: Start, refused: Refused) -> answers.Answer:
        """Start, and answer with the Operation: 202; or with its result: 200."""
        exchange = passage.exchange
        try:
            answer = await self.starts.begin(start, passage.team.settings.limits)
        finally:
            exchange.upstream_seconds += start.call.seconds
        operation = answer.operation
        if operation is None:
            raise _refusal(answer, refused)
        exchange.operation_id = operation.id
        exchange.source = "gateway" if answer.replayed else "upstream"
        return await self._answer(passage, operation)

    async def _answer(self, passage: Passage, operation: Operation) -> answers.Answer:
        wait = wait_of(passage)
        lines = self.views.link_lines(operation)
        if wait is not None:
            lines.append(("Preference-Applied", f"wait={wait}"))
            # The operation has begun: that the gateway stops is no reason not to name it.
            with suppress(Draining):
                operation = await self.watcher.until_ended(operation, wait)
            if operation.ended:
                return await self._result(passage, operation, lines)
        lines += [
            ("Location", self.views.links(operation)["self"]),
            ("Retry-After", "1"),
            ("Cache-Control", "no-store"),
        ]
        document = self.views.operation(operation)
        return answers.json(passage.exchange, document, status=202, lines=lines)

    async def _result(self, passage: Passage, operation: Operation, lines: Lines) -> answers.Answer:
        location = ("Content-Location", self.views.links(operation)["result"])
        try:
            if operation.status is Status.FAILED:
                raise self.views.failure(operation)
            return await self.results.answer(passage, operation, [*lines, location])
        except Problem as problem:
            # Whatever went wrong, the caller must learn what was started.
            problem.headers.update(_only_once(lines))
            problem.members.setdefault("operation", self.views.operation(operation))
            raise


def record(
    passage: Passage, endpoint: Endpoint, leaves: Kind, presets: tuple[str, ...]
) -> Operation:
    """The record of an operation to be, without its id and time."""
    caller = passage.caller
    assert caller is not None
    return Operation(
        id="",
        service=endpoint.service,
        endpoint=endpoint.name,
        team=passage.team.name,
        issuer=caller.issuer,
        subject=caller.subject,
        credential=passage.team.credential,
        created=0.0,
        leaves=leaves,
        presets=presets,
        simplified=True,
    )


def wait_of(passage: Passage) -> int | None:
    return prefer.wait_seconds(passage.request.headers.getall("Prefer", ()))


def _refusal(answer: Answer, refused: Refused) -> Problem:
    if answer.replayed:
        return NotFound("The operation that this Idempotency-Key began is no longer known.")
    if answer.status in _OVERLOADED:
        return UpstreamOverloaded(headers={"Retry-After": "5"})
    message = problem_of(answer.status, answer.body)["detail"]
    return refused(answer.status, message or f"OL Connect answered {answer.status}.")


def _only_once(lines: Lines) -> dict[str, str]:
    # A problem's header lines are a mapping; the links are in its member.
    return {name: value for name, value in lines if name != "Link"}

"""What OL Connect's answers tell of operations and objects, written down in the ledger.

Both faces pass every answer through here, so ownership does not depend on who asked how.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.catalogue import Endpoint, Role
from gateway.ledger import Ledger
from gateway.model import Kind, Status, Thing
from gateway.operation import Operation
from gateway.problems import MalformedRequest
from gateway.rules import documents, ids, paths, progress
from gateway.rules.policy import TeamRules

_SHORT_BYTES = 4096
_DONE = frozenset({Status.SUCCEEDED, Status.FAILED})
_ALWAYS = frozenset({Role.UPLOAD, Role.PREVIEW})
_FILTERED = frozenset({Role.LIST, Role.SEARCH, Role.OPERATIONS})


def is_filtered(team: TeamRules, endpoint: Endpoint) -> bool:
    """Whether an answer lists everybody's objects, of which the team may see its own."""
    return team.owns and endpoint.role in _FILTERED


def is_understood(team: TeamRules, endpoint: Endpoint) -> bool:
    """Whether an answer may have to be read, and so must come without a content coding."""
    if endpoint.role in (Role.PROGRESS, Role.RESULT) or is_filtered(team, endpoint):
        return True
    return bool(endpoint.answer) and (team.owns or endpoint.role in _ALWAYS)


def is_read(team: TeamRules, endpoint: Endpoint, status: int, length: int | None) -> bool:
    """Whether the body of this answer has to be in hand before it may be passed on."""
    if endpoint.role is Role.PROGRESS:
        return True
    if not 200 <= status < 300:
        return endpoint.role is Role.RESULT
    if endpoint.role is Role.RESULT and not endpoint.answer:
        # An id is short; what is longer is a document, and passes by.
        return length is not None and length <= _SHORT_BYTES
    return is_understood(team, endpoint)


@dataclass(frozen=True, slots=True)
class Told:
    """An answer as far as it matters here. ``body`` None where nobody had to read it."""

    endpoint: Endpoint
    parameters: Mapping[str, str]
    raw_query: str
    status: int
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300


class Learning:
    """Reads answers for the ledger. ``ended`` is told of each operation's end, once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def has_ended(self, operation_id: str) -> bool:
        """Whether a finished operation is remembered, which OL Connect may have forgotten."""
        operation = await self._ledger.operation(operation_id)
        return operation is not None and operation.status in _DONE

    async def learn(self, team: TeamRules, told: Told) -> bool:
        """Write down what an answer tells; true if it is about an operation that has ended.

        Raises StoreUnavailable: an answer whose objects nobody would own is not passed on.
        """
        role = told.endpoint.role
        if role is Role.PROGRESS:
            return await self._from_progress(told)
        if role is Role.RESULT:
            await self._from_result(team, told)
        elif told.succeeded and role is Role.CANCEL:
            await self._ledger.end(told.parameters["operationId"], Status.CANCELED)
        elif told.succeeded and role is Role.UPLOAD:
            await self._ledger.learn(team.name, [*self._things(told), *_named_file(told)])
        elif told.succeeded and role not in _FILTERED:
            await self._ledger.learn(team.name, self._things(told))
        return False

    async def _from_progress(self, told: Told) -> bool:
        id_ = told.parameters["operationId"]
        if told.status == 404:
            # OL Connect forgets an operation when it has ended; an unknown one stays unknown.
            operation = await self._ledger.end(id_, Status.SUCCEEDED)
            return operation is not None and operation.status in _DONE
        if told.succeeded and told.body is not None:
            if progress.is_done(told.body):
                await self._ledger.end(id_, Status.SUCCEEDED)
            elif percent := progress.percent_of(told.body):
                await self._ledger.progress(id_, percent)
        return False

    async def _from_result(self, team: TeamRules, told: Told) -> None:
        operation = await self._ledger.operation(told.parameters["operationId"])
        if told.succeeded:
            things = self._results(operation, told)
            await self._ledger.learn(team.name, things)
            await self._ledger.end(told.parameters["operationId"], Status.SUCCEEDED, result=things)
        elif operation is not None and operation.ended and told.status in (400, 500):
            await self._ledger.end(
                operation.id, Status.FAILED, problem=problem_of(told.status, told.body)
            )

    def _results(self, operation: Operation | None, told: Told) -> list[Thing]:
        things = ids.of_result_headers(told.headers)
        if told.endpoint.answer:
            selected = dict(told.endpoint.answer)
            leaves = operation.leaves if operation else None
            # One getResult answers for starts that leave different things behind.
            if leaves is not None and leaves is not Kind.FILE:
                selected = dict.fromkeys(selected, leaves)
            things += ids.of_answer(selected, told.body or b"")
        elif operation is not None and operation.leaves not in (None, Kind.FILE) and told.body:
            things += [Thing(operation.leaves, id_) for id_ in documents.ids_in_text(told.body)]
        return list(dict.fromkeys(things))

    def _things(self, told: Told) -> list[Thing]:
        return ids.of_answer(told.endpoint.answer, told.body or b"")


def _named_file(told: Told) -> list[Thing]:
    """The name under which an upload can be referred to from now on."""
    try:
        names = paths.query_values(told.raw_query, "filename")
    except MalformedRequest:
        return []
    return [Thing(Kind.FILE, name) for name in names if name]


def problem_of(status: int, body: bytes | None) -> dict[str, Any]:
    """Why an operation failed, in OL Connect's own words where it has any."""
    try:
        document = documents.read(body or b"")
    except MalformedRequest:
        document = None
    error = document.get("error") if isinstance(document, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return {"status": status, "detail": message if isinstance(message, str) else ""}

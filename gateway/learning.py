"""What OL Connect's answers tell of operations and objects, written down in the ledger.

Both faces pass every answer through here, so ownership does not depend on who asked how.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from gateway.catalogue import Endpoint, Role
from gateway.ledger import Ledger
from gateway.model import Kind, Status, Thing
from gateway.operation import Operation
from gateway.problems import MalformedRequest
from gateway.rules import documents, ids, progress
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

    async def has_ended(self, service: str, operation_id: str) -> bool:
        """Whether a finished operation is remembered, which OL Connect may have forgotten."""
        operation = await self._ledger.operation(operation_id)
        if operation is None or operation.service != service:
            return False
        return operation.status in _DONE

    async def learn(self, team: TeamRules, told: Told) -> bool:
        """Write down what an answer tells; true if it is about an operation that has ended.

        Raises StoreUnavailable: an answer whose objects nobody would own is not passed on.
        """
        role = told.endpoint.role
        if role is Role.PROGRESS:
            return await self.learn_progress(told)
        if role is Role.RESULT:
            await self.learn_result(team.name, told)
        elif told.succeeded and role is Role.CANCEL:
            await self._ledger.end(told.parameters["operationId"], Status.CANCELED)
        elif told.succeeded and role is Role.UPLOAD:
            await self._learn_upload(team, told)
        elif told.succeeded and role is Role.DELETE:
            await self._learn_deletion(told)
        elif told.succeeded and role not in _FILTERED:
            await self._learn_objects(team, told)
        return False

    @asynccontextmanager
    async def uploading(
        self, endpoint: Endpoint, team: TeamRules, query: str
    ) -> AsyncIterator[None]:
        """Around an upload: until its outcome is known, its file's name may mean either file."""
        names = _names_given(endpoint, query)
        for name in names:
            await self._ledger.dispute(name, unless=team.name)
        try:
            yield
        except BaseException:
            if _is_configuration(endpoint):
                # A name that nobody owns would be everybody's, also if it now means the team's.
                for name in names:
                    await self._ledger.dispute(name, unless=None)
            raise

    async def _learn_upload(self, team: TeamRules, told: Told) -> None:
        files, names = self._things(told), _names_given(told.endpoint, told.raw_query)
        if _is_configuration(told.endpoint) and not team.owns:
            return  # the company's, put there for all teams by one that looks after everything
        await self._ledger.learn(team.name, files)
        for file in files:
            for name in names:
                await self._ledger.learn_file(team.name, file, name)

    async def _learn_deletion(self, told: Told) -> None:
        if (file_id := told.parameters.get("fileId")) is not None:
            await self._ledger.forget_file(Thing(Kind.FILE, file_id))

    async def _learn_objects(self, team: TeamRules, told: Told) -> None:
        """What is inside an object is whose the object is, whoever looks into it."""
        if told.endpoint.starts:
            await self._ledger.learn(team.name, ids.of_result_headers(told.headers))
        things = self._things(told)
        if not things:
            return
        owner: str | None = team.name
        if not team.owns and told.endpoint.role is Role.READ:
            named = [
                thing for thing in ids.of_path(told.parameters) if thing.kind is not Kind.PRESET
            ]
            owners = set(await self._ledger.owners(named))
            owner = owners.pop() if len(owners) == 1 else None
        if owner:
            await self._ledger.learn(owner, things)

    async def learn_progress(self, told: Told) -> bool:
        """As ``learn``, for progress."""
        id_ = told.parameters["operationId"]
        if told.status == 404 and not await self._is_asked_rightly(told):
            return False
        if told.status == 404 or (told.succeeded and progress.is_done(told.body or b"")):
            known = await self._ledger.operation(id_)
            if known is not None and known.simplified and not known.ended:
                # Whether it succeeded is found out by the watcher, and not said before.
                return True
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

    async def _is_asked_rightly(self, told: Told) -> bool:
        """One service may know nothing of what another is still running."""
        operation = await self._ledger.operation(told.parameters["operationId"])
        return operation is not None and operation.service == told.endpoint.service

    async def learn_result(self, team: str, told: Told) -> None:
        """As ``learn``, for results; what they name is from now on whose the operation is."""
        operation = await self._ledger.operation(told.parameters["operationId"])
        if told.succeeded:
            things = self._results(operation, told)
            await self._ledger.learn(operation.team if operation else team, things)
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


def _is_configuration(endpoint: Endpoint) -> bool:
    return endpoint.role is Role.UPLOAD and Kind.PRESET in endpoint.answer.values()


def _names_given(endpoint: Endpoint, raw_query: str) -> list[str]:
    """The names under which an upload can be referred to from now on.

    An upload into a file that there is already leaves its name as it was.
    """
    return [] if "{fileId}" in endpoint.path else ids.file_names(raw_query)


def problem_of(status: int, body: bytes | None) -> dict[str, Any]:
    """Why an operation failed, in OL Connect's own words where it has any."""
    try:
        document = documents.read(body or b"")
    except MalformedRequest:
        document = None
    error = document.get("error") if isinstance(document, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return {"status": status, "detail": message if isinstance(message, str) else ""}

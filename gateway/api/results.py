"""What an operation has left: ids as JSON, a document as it comes from OL Connect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway import answers, requests
from gateway.api import Handler, filenames, visible
from gateway.api.views import Views, result_of
from gateway.catalogue import ENDPOINTS, PREFIX
from gateway.connect import Connect
from gateway.front import Passage
from gateway.learning import Learning, Told
from gateway.ledger import Ledger
from gateway.model import Kind, Status
from gateway.operation import Operation, results_of_kind
from gateway.outcome import Outcomes
from gateway.problems import NotFound, OperationRunning, Problem, UpstreamInvalidResponse
from gateway.relay import relay
from gateway.rules import operations
from gateway.upstream.call import Call
from gateway.upstream.reply import Reply
from gateway.watch import Watcher

Lines = Sequence[tuple[str, str]]

_NO_STORE = ("Cache-Control", "no-store")
_ZIP = "application/zip"  # several output files come as one archive, whatever is in them
_ERROR_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Results:
    connect: Connect
    ledger: Ledger
    learning: Learning
    watcher: Watcher
    views: Views

    def handlers(self) -> Mapping[str, Handler]:
        return {"api.get_operation_result": self.result}

    async def result(self, passage: Passage) -> answers.Answer:
        """Raises OperationRunning, and NotFound where the operation failed or was canceled."""
        found = await visible.find(self.ledger, passage, "get_result")
        operation = await self.watcher.refreshed(found)
        if not operation.ended:
            raise OperationRunning(
                f"The operation is at {operation.progress} %.",
                headers={"Retry-After": "1"},
                members={"operation": self.views.operation(operation)},
            )
        return await self.answer(passage, operation)

    async def answer(
        self, passage: Passage, operation: Operation, lines: Lines = ()
    ) -> answers.Answer:
        """The result of an operation that has ended. Raises NotFound where there is none."""
        if operation.status is Status.SUCCEEDED and not operation.result:
            operation = await self._complete(operation)
        if operation.status is not Status.SUCCEEDED:
            raise self.missing(operation)
        if operation.leaves in (Kind.FILE, None) and not _leaves_ids(operation):
            return await self._document(passage, operation, lines)
        return answers.json(passage.exchange, result_of(operation), lines=[_NO_STORE, *lines])

    def missing(self, operation: Operation) -> NotFound:
        how = "was canceled" if operation.status is Status.CANCELED else "failed"
        return NotFound(
            f"The operation {how} and has no result.",
            members={"operation": self.views.operation(operation)},
        )

    async def _complete(self, operation: Operation) -> Operation:
        """The record with its ids, where its end was seen on the way and not its result."""
        if operation.leaves in (Kind.FILE, None):
            return operation
        await Outcomes(self.connect, self.learning, self.ledger).settle(operation)
        operation = await self.ledger.operation(operation.id) or operation
        if operation.status is Status.SUCCEEDED and not operation.result:
            raise UpstreamInvalidResponse("OL Connect's result names no object.")
        return operation

    async def _document(
        self, passage: Passage, operation: Operation, lines: Lines
    ) -> answers.Answer:
        for id_ in results_of_kind(operation, Kind.FILE):
            path = f"{PREFIX}/filestore/file/{id_}"
            answer = await self._fetch(passage, operation, Call("GET", path), lines)
            if answer is not None:
                return answer
        if passage.request.method == "HEAD":
            # Some servers give a result away once: not for a look at its header.
            content_type = operation.content_type or "application/octet-stream"
            document = _document_lines(operation, content_type)
            return answers.whole(passage.exchange, 200, [*document, *lines], None)
        path = operations.path_of(operation.service, "get_result", operation.id)
        answer = await self._fetch(passage, operation, Call("POST", path), lines)
        if answer is None:
            raise NotFound("OL Connect no longer has the result.")
        return answer

    async def _fetch(
        self, passage: Passage, operation: Operation, call: Call, lines: Lines
    ) -> answers.Answer | None:
        """The document as ``call`` gets it; None if it is not there."""
        exchange, upstream = passage.exchange, self.connect.upstream
        call.headers = [requests.IDENTITY, *requests.identifying_lines(exchange)]
        try:
            async with self.connect.ask(
                call,
                team=passage.team.name,
                credential=passage.team.credential,
                repeatable=call.method == "GET",
            ) as response:
                exchange.upstream_seconds += call.seconds
                if response.status == 404:
                    return None
                if response.status != 200:
                    if call.method == "POST":
                        await self._learn_refusal(operation, response)
                    raise UpstreamInvalidResponse("OL Connect did not hand out the result.")
                document = _document_lines(operation, _content_type(operation, response))
                coded = response.headers.get("Content-Encoding")
                coding = [("Content-Encoding", coded)] if coded else []
                exchange.source = "upstream"
                return await relay(
                    passage.request, exchange, upstream, response, [*document, *coding, *lines]
                )
        except Problem:
            exchange.source = "gateway"
            raise

    async def _learn_refusal(self, operation: Operation, response: Reply) -> None:
        """Raises NotFound where the error tells that the operation has failed after all."""
        body = await self.connect.upstream.read(response, _ERROR_BYTES)
        endpoint = ENDPOINTS[f"{operation.service}.get_result"]
        parameters = {"operationId": operation.id}
        told = Told(endpoint, parameters, "", response.status, response.headers, body)
        await self.learning.learn_result(operation.team, told)
        operation = await self.ledger.operation(operation.id) or operation
        if operation.status is Status.FAILED:
            raise self.missing(operation)


def _leaves_ids(operation: Operation) -> bool:
    return operation.leaves is None and any(
        thing.kind is not Kind.FILE for thing in operation.result
    )


def _content_type(operation: Operation, response: Reply) -> str:
    upstream = response.headers.get("Content-Type", "application/octet-stream")
    if upstream.startswith(_ZIP):
        return upstream
    return operation.content_type or upstream


def _document_lines(operation: Operation, content_type: str) -> list[tuple[str, str]]:
    return [
        ("Content-Type", content_type),
        ("Content-Disposition", filenames.disposition(operation, content_type)),
        ("X-Content-Type-Options", "nosniff"),
        _NO_STORE,
    ]

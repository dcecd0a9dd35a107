"""How an operation ended: OL Connect's progress says only that it did, its result says how.

This is asked for what the simplified face started, whose callers do not ask OL Connect themselves.
"""

from typing import Any

from gateway.catalogue import ENDPOINTS
from gateway.connect import Connect
from gateway.learning import Learning, Told, problem_of
from gateway.ledger import Ledger
from gateway.model import Kind, Status
from gateway.operation import Operation
from gateway.problems import UpstreamInvalidResponse
from gateway.rules import operations
from gateway.upstream.call import Call

UNCODED = ("Accept-Encoding", "identity")
_ANSWER_BYTES = 1024 * 1024
_FAILED = frozenset({400, 500})
_UNKNOWN_METHOD = frozenset({404, 405, 501})

_GONE = {
    "status": 404,
    "detail": "OL Connect no longer knows the operation: it was canceled there, or OL Connect "
    "was restarted.",
}


class Outcomes:
    """Asks for results and writes them into the ledger."""

    def __init__(self, connect: Connect, learning: Learning, ledger: Ledger) -> None:
        self._connect = connect
        self._learning = learning
        self._ledger = ledger

    async def settle(self, operation: Operation) -> None:
        """Write down how an operation that has ended did so.

        Raises what asking OL Connect raises, also for an answer that says nothing about the
        operation, and StoreUnavailable: then nothing is known, and asking again may help.
        """
        method = _method(operation)
        told = await self._ask(operation, method)
        problem = problem_of(told.status, told.body)
        if told.succeeded:
            await self._learning.learn_result(operation.team, told)
        elif told.status in _FAILED:
            await self._ledger.end(operation.id, Status.FAILED, problem=problem)
        elif method != "get_result" and _is_about_method(told.status, problem):
            # A server without this method: the result is had from getResult, once.
            await self._ledger.end(operation.id, Status.SUCCEEDED)
        elif told.status == 404:
            await self._ledger.end(operation.id, Status.FAILED, problem=_GONE)
        else:
            raise UpstreamInvalidResponse("OL Connect does not say how the operation ended.")

    async def _ask(self, operation: Operation, method: str) -> Told:
        endpoint = ENDPOINTS[f"{operation.service}.{method}"]
        path = operations.path_of(operation.service, method, operation.id)
        call = Call("POST", path, headers=[UNCODED])
        async with self._connect.ask(
            call, team=operation.team, credential=operation.credential, repeatable=False
        ) as response:
            body = await self._connect.upstream.read(response, _ANSWER_BYTES)
            parameters = {"operationId": operation.id}
            return Told(endpoint, parameters, "", response.status, response.headers, body)


def _method(operation: Operation) -> str:
    """How the outcome is had without a document; the vendor's own client does the same."""
    if operation.leaves not in (None, Kind.FILE):
        return "get_result"
    return "get_managed_result" if operation.create_only else "get_result_text"


def _is_about_method(status: int, problem: dict[str, Any]) -> bool:
    """Not about the operation, of which OL Connect says "Operation not found in Server"."""
    return status in _UNKNOWN_METHOD and "operation" not in problem["detail"].lower()

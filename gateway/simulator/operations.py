"""Long-running operations: nothing runs in the background, the clock decides how far each one is.

The work itself is done in one go by whoever first looks after the operation's end."""

import asyncio
import heapq
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.simulator.content import Content
from gateway.simulator.errors import OPERATION_NOT_FOUND, Refusal
from gateway.simulator.options import Options

POLL_SECONDS = 0.01  # how often a waiter looks at a clock that is not the machine's own


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation leaves: an entity's id, a JSON value, or output files with their names."""

    kind: str  # as in the header X-Result-Type
    text: str = ""
    json: Any = None
    files: tuple[tuple[str, Content], ...] = ()
    ids: dict[str, int] = field(default_factory=dict)  # header name -> entity id
    folder: str = ""


@dataclass(slots=True)
class Operation:
    id: str
    service: str
    started: float
    ends: float
    who: str
    work: Callable[[], Outcome]
    resources: dict[str, str]
    sub_task: str
    ids_in_headers: bool = False
    outcome: Outcome | None = None
    failure: Refusal | None = None
    managed_file: int = 0  # the output as a managed file, once somebody asked for it
    fetched: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Operations:
    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._all: dict[str, Operation] = {}
        self._active: dict[str, Operation] = {}
        self._ends: list[tuple[float, str]] = []  # a heap of when each ends

    def start(
        self,
        service: str,
        work: Callable[[], Outcome],
        *,
        seconds: float,
        who: str,
        resources: dict[str, str],
        sub_task: str,
        ids_in_headers: bool = False,
    ) -> Operation:
        now = self._now()
        operation = Operation(
            id=str(uuid.uuid4()),
            service=service,
            started=now,
            ends=now + seconds,
            who=who,
            work=work,
            resources=resources,
            sub_task=sub_task,
            ids_in_headers=ids_in_headers,
        )
        self._all[operation.id] = self._active[operation.id] = operation
        heapq.heappush(self._ends, (operation.ends, operation.id))
        return operation

    def settle(self) -> None:
        """Do the work of all operations whose time is up, in the order in which they end."""
        now = self._now()
        while self._ends and self._ends[0][0] <= now:
            operation = self._active.pop(heapq.heappop(self._ends)[1], None)
            if operation is None:
                continue  # cancelled
            try:
                operation.outcome = operation.work()
            except Refusal as refusal:
                operation.failure = refusal
            operation.changed.set()

    def get(self, service: str, operation_id: str, options: Options) -> Operation:
        self.settle()
        operation = self._all.get(operation_id)
        if operation is None or (operation.service != service and not options.cross_service):
            raise Refusal(404, OPERATION_NOT_FOUND, operation_id)
        return operation

    def progress(self, operation: Operation) -> int:
        """0 to 100 while it runs."""
        length = operation.ends - operation.started
        share = (self._now() - operation.started) / length if length > 0 else 1.0
        return max(0, min(100, int(share * 101)))

    def progress_text(self, operation: Operation, options: Options) -> str:
        if operation.id in self._active:
            return str(self.progress(operation))
        if self._now() - operation.ends >= options.done_seconds:
            raise Refusal(404, OPERATION_NOT_FOUND, operation.id)
        return "done"

    def active(self, service: str = "") -> list[Operation]:
        """Those of one service, or of all."""
        self.settle()
        return [each for each in self._active.values() if service in ("", each.service)]

    def cancel(self, operation: Operation) -> None:
        """A finished operation stays as it is; a running one is gone for everybody."""
        if self._active.pop(operation.id, None):
            del self._all[operation.id]
            operation.failure = Refusal(404, OPERATION_NOT_FOUND, operation.id)
            operation.changed.set()

    async def result(self, operation: Operation, options: Options) -> Outcome:
        if operation.id in self._active and options.early_result != "block":
            status = int(options.early_result)
            raise Refusal(status, "Operation has not been completed", operation.id)
        outcome = await self.outcome(operation)
        if operation.fetched and options.result_twice == "gone":
            raise Refusal(404, OPERATION_NOT_FOUND, operation.id)
        operation.fetched = True
        return outcome

    async def outcome(self, operation: Operation) -> Outcome:
        """Waits for the end, then raises the failure or hands over what came out."""
        await self._wait(operation)
        if operation.failure is not None:
            raise operation.failure
        assert operation.outcome is not None
        return operation.outcome

    async def _wait(self, operation: Operation) -> None:
        while not operation.changed.is_set():
            remaining = operation.ends - self._now()
            if self._now not in (time.time, time.monotonic):
                remaining = min(remaining, POLL_SECONDS)
            try:
                async with asyncio.timeout(max(remaining, 0.001)):
                    await operation.changed.wait()
            except TimeoutError:
                self.settle()

    def clean_up(self, before: float) -> None:
        for operation in list(self._all.values()):
            if operation.id not in self._active and operation.ends < before:
                del self._all[operation.id]

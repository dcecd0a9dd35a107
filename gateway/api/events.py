"""An operation as server-sent events (HTML standard, section 9.2): what is new, then its end."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web
from aiohttp_sse import EventSourceResponse
from pydantic_core import to_json

from gateway import answers, rendering
from gateway.api import Handler, visible
from gateway.api.views import Views
from gateway.exchange import Exchange
from gateway.front import Passage
from gateway.ledger import Ledger
from gateway.operation import Operation
from gateway.poller import Watch
from gateway.problems import Draining
from gateway.watch import Watcher

# An event's id is the progress, the same in every process and after a restart; then the end.
_LAST_ID = 101
_HEARTBEAT_SECONDS = 15.0
# A listener who takes nothing for this long is dropped; nothing is kept for it meanwhile.
_SEND_SECONDS = 10.0
_BUFFER_BYTES = 16 * 1024
_COME_BACK = b": the gateway stops, another may answer\nretry: 1000\n\n"
_LINES = (("Cache-Control", "no-store"), ("X-Accel-Buffering", "no"))


class EventStream(rendering.Stream, EventSourceResponse):
    """The library's stream, with the header lines of this gateway's answers."""

    def __init__(self, exchange: Exchange, heartbeat_seconds: float) -> None:
        super().__init__(
            headers=dict(exchange.headers),
            sep="\n",
            send_timeout=_SEND_SECONDS,
            ping_interval=heartbeat_seconds,
        )
        self.headers.popall("Connection", None)
        self.headers.update(_LINES)
        exchange.status = 200


@dataclass(slots=True)
class Events:
    ledger: Ledger
    watcher: Watcher
    views: Views
    heartbeat_seconds: float = _HEARTBEAT_SECONDS

    def handlers(self) -> Mapping[str, Handler]:
        return {"api.get_operation_events": self.events}

    async def events(self, passage: Passage) -> answers.Answer:
        operation = await visible.find(self.ledger, passage, "get_progress")
        seen = _last_id(passage)
        if seen >= _LAST_ID and operation.ended:
            # By this an EventSource knows that it need not come back.
            return answers.whole(passage.exchange, 204, _LINES, None)
        if self.watcher.draining:
            raise Draining(headers={"Retry-After": "1"})
        if passage.request.method == "HEAD":
            lines = [("Content-Type", "text/event-stream"), *_LINES]
            return answers.whole(passage.exchange, 200, lines, None)
        with self.watcher.listening(operation) as watch:
            return await self._stream(passage, watch, seen)

    async def _stream(self, passage: Passage, watch: Watch, seen: int) -> answers.Answer:
        stream = EventStream(passage.exchange, self.heartbeat_seconds)
        if passage.request.transport is not None:
            passage.request.transport.set_write_buffer_limits(high=_BUFFER_BYTES)
        assert isinstance(passage.request, web.BaseRequest)
        await stream.prepare(passage.request)
        passage.exchange.answering = True
        async with stream:
            if not await self._tell(stream, passage.exchange, watch, seen):
                await stream.write(_COME_BACK)
        await stream.write_eof()
        return stream

    async def _tell(self, stream: EventStream, exchange: Exchange, watch: Watch, seen: int) -> bool:
        """Send what is new until the end; False if the end is not going to be seen here."""
        while True:
            operation = watch.operation
            id_ = _id(operation)
            if id_ > seen:
                seen = id_
                data = to_json(self.views.operation(operation)).decode()
                exchange.bytes_out += len(data)
                await stream.send(data, id=str(id_), event=_event(operation))
            if operation.ended:
                return True
            if watch.over or self.watcher.draining:
                return False
            if watch.operation is operation:
                await watch.change()


def _id(operation: Operation) -> int:
    return _LAST_ID if operation.ended else operation.progress


def _event(operation: Operation) -> str:
    return operation.status.value if operation.ended else "progress"


def _last_id(passage: Passage) -> int:
    """The ``Last-Event-ID``; -1 for none, and for one that was not given out here."""
    text = passage.header("Last-Event-ID") or ""
    if text.isascii() and text.isdigit() and len(text) <= 3:
        return int(text)
    return -1

"""One JSON line per request on stdout (contract section 8). Never a token, a password or a body."""

from collections.abc import Callable
from typing import Any

from gateway.exchange import Exchange
from gateway.settings import Log


class RequestLog:
    """``emit`` gets the fields of a line; ``log.requests`` says which requests get one."""

    def __init__(self, settings: Log, emit: Callable[..., None]) -> None:
        self._wanted = settings.requests
        self._emit = emit

    def write(self, exchange: Exchange, seconds: float) -> None:
        if self._wanted == "none" or (self._wanted == "problems" and exchange.problem is None):
            return
        self._emit("request", **_fields(exchange, seconds))


def _fields(exchange: Exchange, seconds: float) -> dict[str, Any]:
    caller = exchange.caller
    return {
        "request_id": exchange.request_id,
        "traceparent": exchange.traceparent,
        "endpoint": exchange.endpoint,
        "method": exchange.method,
        "status": exchange.status,
        "source": exchange.source,
        "problem": exchange.problem.code if exchange.problem else None,
        "team": exchange.team,
        "subject": caller.subject if caller else None,
        "issuer": caller.issuer if caller else None,
        "client": exchange.client,
        "credential": exchange.credential,
        "operation_id": exchange.operation_id,
        "duration_seconds": round(seconds, 6),
        "upstream_seconds": round(exchange.upstream_seconds, 6),
        "bytes_in": exchange.bytes_in,
        "bytes_out": exchange.bytes_out,
    }

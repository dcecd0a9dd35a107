"""Answers to callers: status, header lines exactly as decided, and the body.

How they become bytes is the listener's, see ``gateway.inbound``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from gateway.catalogue import PREFIX
from gateway.exchange import Exchange
from gateway.inbound import Begun
from gateway.problems import Problem, Unauthenticated

Lines = Iterable[tuple[str, str]]


@dataclass(slots=True)
class Whole:
    """An answer whose body is at hand. ``closes``: it is the last one on its connection."""

    status: int
    lines: list[tuple[str, str]]
    body: bytes | None
    closes: bool = False


Answer = Whole | Begun
"""What a handler returns: the latter has been written already."""


def whole(exchange: Exchange, status: int, lines: Lines, body: bytes | None) -> Whole:
    exchange.status = status
    if body is not None and exchange.method != "HEAD":
        exchange.bytes_out += len(body)
    return Whole(status, [*lines, *exchange.headers], body)


def json(
    exchange: Exchange,
    content: Any,
    *,
    status: int = 200,
    lines: Lines = (),
    content_type: str = "application/json",
) -> Whole:
    return whole(exchange, status, [("Content-Type", content_type), *lines], to_json(content))


def problem(exchange: Exchange, problem: Problem, public_url: str) -> Whole:
    """The refusal in the form of the face it happened on (contract section 7)."""
    lines = list(problem.headers.items())
    if isinstance(problem, Unauthenticated):
        lines.append(("WWW-Authenticate", _challenge(problem, public_url)))
    if exchange.path.startswith(PREFIX):
        return json(
            exchange, _ol_connect_error(exchange, problem), status=problem.status, lines=lines
        )
    return json(
        exchange,
        problem_details(exchange, problem),
        status=problem.status,
        lines=lines,
        content_type="application/problem+json",
    )


def _challenge(problem: Unauthenticated, public_url: str) -> str:
    """RFC 6750 section 3, with the pointer of RFC 9728 section 5.1."""
    challenge = f'Bearer resource_metadata="{public_url}/.well-known/oauth-protected-resource"'
    if problem.challenge_error is None:
        return challenge
    return f'{challenge}, error="{problem.challenge_error}", error_description="{problem.title}"'


def _ol_connect_error(exchange: Exchange, problem: Problem) -> dict[str, Any]:
    error: dict[str, Any] = {"status": problem.status, "message": problem.detail}
    if problem.parameter is not None:
        error["parameter"] = problem.parameter
    error |= {"code": problem.code, "request_id": exchange.request_id}
    return {"error": error | problem.members}


def problem_details(exchange: Exchange, problem: Problem) -> dict[str, Any]:
    """RFC 9457 section 3."""
    details: dict[str, Any] = {
        "type": f"urn:olconnect-gateway:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": exchange.request_id,
    }
    if problem.parameter is not None:
        details["parameter"] = problem.parameter
    return details | problem.members

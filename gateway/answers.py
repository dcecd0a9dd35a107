"""Answers to callers: header lines exactly as decided, nothing added by the HTTP library.

aiohttp's ``Server`` line and its default ``Content-Type`` are kept off: clients of OL Connect
compare content types whole, and take an answer without one to mean something.
"""

from collections.abc import Iterable
from typing import Any

from aiohttp import web
from multidict import CIMultiDict
from pydantic_core import to_json

from gateway.catalogue import PREFIX
from gateway.exchange import Exchange
from gateway.problems import Problem, Unauthenticated

Lines = Iterable[tuple[str, str]]

_UNKNOWN = "application/octet-stream"


class Stream(web.StreamResponse):
    """An answer whose body is written piece by piece."""

    async def _prepare_headers(self) -> None:
        await _prepare_without_additions(self, super()._prepare_headers)


class Whole(web.Response):
    """An answer whose body is at hand."""

    async def _prepare_headers(self) -> None:
        await _prepare_without_additions(self, super()._prepare_headers)


async def _prepare_without_additions(response: web.StreamResponse, prepare: Any) -> None:
    typed = "Content-Type" in response.headers
    await prepare()
    response.headers.popall("Server", None)
    if not typed and response.headers.get("Content-Type") == _UNKNOWN:
        del response.headers["Content-Type"]


def whole(exchange: Exchange, status: int, lines: Lines, body: bytes | None) -> Whole:
    exchange.status = status
    if body is not None and exchange.method != "HEAD":
        exchange.bytes_out += len(body)
    return Whole(status=status, headers=_headers(exchange, lines), body=body)


def stream(exchange: Exchange, status: int, lines: Lines) -> Stream:
    exchange.status = status
    return Stream(status=status, headers=_headers(exchange, lines))


def json(
    exchange: Exchange,
    content: Any,
    *,
    status: int = 200,
    lines: Lines = (),
    content_type: str = "application/json",
) -> Whole:
    return whole(exchange, status, [("Content-Type", content_type), *lines], to_json(content))


def _headers(exchange: Exchange, lines: Lines) -> CIMultiDict[str]:
    headers = CIMultiDict(lines)
    for name, value in exchange.headers:
        headers.add(name, value)
    return headers


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

"""Answers in aiohttp's form: header lines exactly as decided, nothing added by the library.

Its ``Server`` line and its default ``Content-Type`` are kept off: clients of OL Connect compare
content types whole, and take an answer without one to mean something.
"""

from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from gateway.answers import Answer, Whole

_UNKNOWN = "application/octet-stream"


class Stream(web.StreamResponse):
    """An answer whose body is written piece by piece."""

    async def _prepare_headers(self) -> None:
        await _prepare_without_additions(self, super()._prepare_headers)


class Response(web.Response):
    """An answer whose body is at hand."""

    async def _prepare_headers(self) -> None:
        await _prepare_without_additions(self, super()._prepare_headers)


async def _prepare_without_additions(response: web.StreamResponse, prepare: Any) -> None:
    typed = "Content-Type" in response.headers
    await prepare()
    response.headers.popall("Server", None)
    if not typed and response.headers.get("Content-Type") == _UNKNOWN:
        del response.headers["Content-Type"]


def response_of(answer: Answer) -> web.StreamResponse:
    """What aiohttp has to send, or has sent."""
    if isinstance(answer, Whole):
        return whole(answer)
    assert isinstance(answer, web.StreamResponse)
    return answer


def whole(answer: Whole) -> web.Response:
    response = Response(status=answer.status, headers=CIMultiDict(answer.lines), body=answer.body)
    if answer.closes:
        response.force_close()
    return response

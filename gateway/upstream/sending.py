"""A read that is sent without waiting for anything, and whose answer is taken where it arrives.

For small, complete answers only. Whatever else comes, the caller of this asks in the ordinary way.
"""

from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple, Protocol

from aiohttp import StreamReader
from aiohttp.http_parser import RawResponseMessage

from gateway.problems import Problem, UpstreamUnreachable
from gateway.upstream.breaker import Breaker
from gateway.upstream.client import problem_of
from gateway.upstream.credentials import REFUSED, Account
from gateway.upstream.gate import Gate
from gateway.upstream.lines import Line, Lines

LARGEST_BODY_BYTES = 64 * 1024


class Arrived(NamedTuple):
    """A 200 with its body; ``seconds`` until then."""

    raw_headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    seconds: float


class Told(Protocol):
    def __call__(self, arrived: Arrived | None, problem: Problem | None) -> None:
        """Called once. Neither: nothing was learned that could be passed on."""


class Way(NamedTuple):
    """What a read passes on its way to OL Connect."""

    breaker: Breaker
    gate: Gate
    lines: Lines


class Sending:
    """One read under way. It holds a slot of the gate and a connection until ``told`` is called."""

    __slots__ = ("_account", "_began", "_line", "_permit", "_proof", "_team", "_told", "_way")

    def __init__(
        self,
        way: Way,
        team: str,
        account: Account,
        proof: tuple[str, str],
        *,
        line: Line,
        told: Told,
    ) -> None:
        self._way = way
        self._team = team
        self._account = account
        self._proof = proof
        self._line = line
        self._told = told
        self._permit = way.breaker.admit()
        self._began = perf_counter()

    def cancel(self) -> None:
        """Without a word to ``told``."""
        self._way.breaker.withdrew(self._permit)
        self._let_go(None)

    def waits_for(self, message: RawResponseMessage) -> bool:
        return is_simple(message)

    def received(self, message: RawResponseMessage, content: StreamReader) -> None:
        """The head is there, and the body unless it is one that is not waited for."""
        status = message.code
        self._way.breaker.answered(self._permit, status)
        if status in REFUSED:
            self._account.refuse(self._proof, status)
        else:
            self._account.confirm()
        arrived = None
        if content.is_eof() and is_simple(message):
            body = content.read_nowait()
            arrived = Arrived(message.raw_headers, body, perf_counter() - self._began)
        self._let_go(self._line if arrived is not None else None)
        self._told(arrived, None)

    def failed(self, error: BaseException) -> None:
        problem = problem_of(error)
        self._way.breaker.failed(self._permit)
        self._let_go(None)
        # A connection that is lost may have been an old one, which OL Connect had closed.
        self._told(None, None if isinstance(problem, UpstreamUnreachable) else problem)

    def _let_go(self, line: Line | None) -> None:
        self._line.receiver = None
        if line is None:
            self._line.close()
        else:
            self._way.lines.take_back(line)
        self._way.gate.leave(self._team)


def begin(
    way: Way, team: str, account: Account, request: Callable[[tuple[str, str]], bytes], told: Told
) -> Sending | None:
    """None, and nothing has happened, if anything would have to be waited for.

    ``request`` is given the header line that proves who the gateway is.
    """
    proof = account.ready_line()
    if proof is None or not way.breaker.is_closed or not way.gate.may_enter(team):
        return None
    line = way.lines.idle()
    if line is None:
        return None
    way.gate.take(team)
    sending = Sending(way, team, account, proof, line=line, told=told)
    line.send(request(proof), sending)
    return sending


def is_simple(message: RawResponseMessage) -> bool:
    """Whether the answer is a 200 of a stated, small length, in no coding."""
    if message.code != 200 or message.upgrade or "Transfer-Encoding" in message.headers:
        return False
    length = message.headers.get("Content-Length", "")
    # aiohttp has seen to it that it is one number, if it is there.
    return length.isdigit() and int(length) <= LARGEST_BODY_BYTES

"""A read that is sent without waiting for anything, and whose answer is taken where it arrives.

For small, complete answers only. Whatever else comes, the caller of this asks in the ordinary way.
"""

from abc import ABC, abstractmethod
from time import perf_counter
from typing import NamedTuple

from gateway.problems import Problem, UpstreamUnreachable
from gateway.upstream.breaker import Breaker
from gateway.upstream.client import problem_of
from gateway.upstream.credentials import REFUSED, Account
from gateway.upstream.gate import Gate
from gateway.upstream.heads import AnswerHead
from gateway.upstream.line import Line
from gateway.upstream.lines import Lines


class Way(NamedTuple):
    """What a read passes on its way to OL Connect."""

    breaker: Breaker
    gate: Gate
    lines: Lines


class Sending(ABC):
    """One read: what it says, and what becomes of the answer, is for a subclass to know.

    From a ``begin`` that succeeds until ``told`` is called, or it is cancelled, it holds a slot of
    the gate and a connection.
    """

    __slots__ = ("_account", "_began", "_line", "_permit", "_proof", "_team", "_way", "seconds")

    _line: Line | None

    def begin(self, way: Way, team: str, account: Account) -> bool:
        """False, and nothing has happened, if anything would have to be waited for."""
        proof = account.ready_line()
        if proof is None or not way.breaker.is_closed or not way.gate.may_enter(team):
            return False
        line = way.lines.idle()
        if line is None:
            return False
        way.gate.take(team)
        self._way, self._team, self._account = way, team, account
        self._proof, self._line = proof, line
        self._permit = way.breaker.admit()
        self._began = perf_counter()
        line.send(self.request(proof), self)
        return True

    @abstractmethod
    def request(self, proof: tuple[str, str]) -> bytes:
        """All that is sent. ``proof`` is the header line that says who the gateway is."""

    @abstractmethod
    def told(self, head: AnswerHead | None, body: bytes, problem: Problem | None) -> None:
        """Called once, after so many ``seconds``. No head and no problem: nothing was learned that
        could be passed on."""

    def cancel(self) -> bool:
        """Without a word to ``told``; False if that has been called."""
        if self._line is None:
            return False
        self._way.breaker.withdrew(self._permit)
        self._let_go(keep=False)
        return True

    def received(self, status: int, head: AnswerHead | None, body: bytes) -> None:
        self._way.breaker.answered(self._permit, status)
        if status in REFUSED:
            self._account.refuse(self._proof, status)
        else:
            self._account.confirm()
        self.seconds = perf_counter() - self._began
        self._let_go(keep=head is not None)
        self.told(head, body, None)

    def failed(self, error: BaseException) -> None:
        problem = problem_of(error)
        self._way.breaker.failed(self._permit)
        self._let_go(keep=False)
        # A connection that is lost may have been an old one, which OL Connect had closed.
        self.told(None, b"", None if isinstance(problem, UpstreamUnreachable) else problem)

    def _let_go(self, *, keep: bool) -> None:
        line, self._line = self._line, None
        assert line is not None
        line.receiver = None
        if keep:
            self._way.lines.take_back(line)
        else:
            line.close()
        self._way.gate.leave(self._team)

"""All that the express lane keeps of what the journey has decided, filled in and looked up.

A head whose exact bytes are new may differ from a known one in its token only. Its token is
verified here then, and if it speaks for the same teams, what was decided holds for it as well.
"""

from dataclasses import dataclass

from gateway.exchange import Exchange
from gateway.express.heads import Head
from gateway.express.passing import Passing
from gateway.express.rote import Rote
from gateway.front import Front
from gateway.inbound import Inbound, Memo
from gateway.problems import Problem
from gateway.rules.credentials import Bearer, presented


@dataclass(frozen=True, slots=True)
class Shortcuts:
    """``rote`` for answers, ``passing`` for reads that are passed on to OL Connect."""

    front: Front
    rote: Rote
    passing: Passing

    def learn(self, request: Inbound, exchange: Exchange, answer: object) -> None:
        """Of a request that came before, or one of its kin did."""
        self.rote.learn(request, exchange, answer)
        self.passing.learn(request, exchange, answer)
        memo = request.memo
        if memo is not None and memo.kin is not None and (memo.course or memo.lesson):
            memo.kin.example = memo

    def introduce(self, head: Head) -> None:
        """Fill in a new head's memo from its kin's, as far as nothing has to be waited for."""
        memo, kin = head.memo, head.memo.kin
        if kin is None:
            return
        example = kin.example
        if example is None:
            kin.example = memo
            return
        memo.naming = example.naming
        if example.course is not None or _is_hit(example):
            self._follow(head, example)

    def _follow(self, head: Head, example: Memo) -> None:
        shown = _shown(head)
        if shown is None:
            return
        caller = self.front.regime.authenticator.identify_at_once(shown.token)
        if caller is None or not self.front.admits_as_well(caller, example.admission):
            return
        if example.course is not None:
            head.memo.course = example.course.of(caller, shown.token)
        if _is_hit(example):
            head.memo.lesson = example.lesson.of(caller, shown.token)


def _is_hit(example: Memo) -> bool:
    """Whether a cache entry is its answer, and not a refusal, which is the token's own."""
    return example.lesson is not None and example.lesson.exchange.hit is not None


def _shown(head: Head) -> Bearer | None:
    fields = head.message.headers
    try:
        shown = presented(fields.getall("Authorization"), fields.getall("auth_token", ()))
    except Problem:
        return None
    return shown if isinstance(shown, Bearer) else None

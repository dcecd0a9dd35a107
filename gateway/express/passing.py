"""Reads passed on again: the same bytes, by the same caller, are sent as the journey sent them.

Only OL Connect's answer is new. Whatever cannot be told to be as it was, without waiting, takes the
journey, and so does what comes back as anything but a small, complete 200.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from os import urandom
from typing import TYPE_CHECKING

from gateway.answers import Whole
from gateway.connect import Connect
from gateway.exchange import Exchange
from gateway.express import writing
from gateway.facets import bypass_lines
from gateway.inbound import Inbound
from gateway.ledger import Ledger
from gateway.model import Caller, Thing
from gateway.problems import Draining, Problem
from gateway.requests import IDENTITY
from gateway.rules import headers, tracing
from gateway.rules.credentials import Bearer
from gateway.rules.links import Origins
from gateway.rules.policy import TeamRules
from gateway.upstream.call import Call
from gateway.upstream.lines import written
from gateway.upstream.sending import Arrived, Sending

if TYPE_CHECKING:
    from gateway.front import Front, Reading, Regime

# They make a call its caller's own; heads that hold them do not come again, or ask for another
# answer than the one that OL Connect gives.
_OWN_NAMES = ("X-Request-Id", "traceparent", "If-None-Match")
_STARTS_KEPT = 4

RawHeaders = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Course:
    """How a read was passed on, and what that holds by. ``request`` lacks what is new each time."""

    regime: "Regime"
    token: str
    caller: Caller
    team: TeamRules
    things: Sequence[Thing]
    endpoint: str
    path: str
    is_facet: bool
    request: bytes
    # By OL Connect's header: the answer's first lines.
    starts: dict[RawHeaders, str] = field(default_factory=dict)


Done = Callable[[bytes | None, Problem | None], None]
"""Told the answer; or that there is none, and the problem if there must not be another try."""


class Passage:
    """One read on its way. ``cancel`` when its caller has left, or must be answered at once."""

    __slots__ = ("_done", "_ended", "_origins", "course", "exchange", "is_last", "sending")

    def __init__(
        self,
        course: Course,
        exchange: Exchange,
        origins: Origins,
        *,
        is_last: Callable[[], bool],
        ended: "Callable[[Passage, bool], None]",
        done: Done,
    ) -> None:
        self.course = course
        self.exchange = exchange
        self.is_last = is_last
        self.sending: Sending | None = None
        self._origins = origins
        self._ended = ended
        self._done = done

    @property
    def answered_by(self) -> "Passage":
        return self

    def cancel(self) -> bool:
        if self.sending is not None:
            self.sending.cancel()
            self.sending = None
            problem = self.exchange.problem
            if isinstance(problem, Draining):
                self._give_up(problem)
            else:
                self.exchange.left = True
                self._ended(self, True)
        return True

    def told(self, arrived: Arrived | None, problem: Problem | None) -> None:
        self.sending = None
        if arrived is None:
            return self._give_up(problem)
        try:
            said = self._said(arrived)
        except Problem as fault:
            return self._give_up(fault)
        except Exception:
            # A mistake of ours: the journey will meet it, too, and report it.
            return self._give_up(None)
        self._ended(self, True)
        self._done(said, None)

    def _give_up(self, problem: Problem | None) -> None:
        # What comes of it is for the journey to tell, as another exchange.
        self._ended(self, False)
        self._done(None, problem)

    def _said(self, arrived: Arrived) -> bytes:
        exchange = self.exchange
        exchange.status, exchange.source = 200, "upstream"
        exchange.upstream_seconds = arrived.seconds
        exchange.bytes_out = len(arrived.body)
        starts = self.course.starts
        start = starts.get(arrived.raw_headers)
        if start is None:
            if len(starts) >= _STARTS_KEPT:
                starts.clear()
            start = starts[arrived.raw_headers] = self._start(arrived.raw_headers)
        lines = exchange.headers
        if self.course.is_facet:
            lines = bypass_lines(arrived.body) + lines
        return writing.rest(start, lines, arrived.body, is_last=self.is_last())

    def _start(self, raw_headers: RawHeaders) -> str:
        """Raises UpstreamInvalidResponse."""
        lines = headers.for_caller(raw_headers, self._origins, self.course.path)
        if self.course.is_facet:
            lines = [line for line in lines if line[0].lower() != "etag"]
        return writing.start(200, lines)


class Passing:
    """What the journey has passed on to OL Connect for heads that came before."""

    def __init__(
        self, front: "Front", ledger: Ledger, connect: Connect, origins: Origins, authority: str
    ) -> None:
        self._front = front
        self._ledger = ledger
        self._connect = connect
        self._authority = authority
        self.origins = origins

    def learn(self, request: Inbound, exchange: Exchange, answer: object) -> None:
        """Keep how a read was passed on, if it can be passed on so again."""
        memo = request.memo
        if memo is None:
            return
        memo.course = None
        admission, reading = memo.admission, memo.reading
        if admission is None or not isinstance(reading.shown, Bearer):
            return
        if not _is_plain(request, exchange, answer):
            return
        team: TeamRules = admission.teams[0]
        if team.settings.limits.requests_per_second is not None:
            return  # the team's rate is counted, and told, request by request
        is_facet = reading.recognition.match().endpoint.facet is not None
        memo.course = Course(
            admission.regime,
            reading.shown.token,
            admission.caller,
            team,
            tuple(admission.named),
            exchange.endpoint,
            reading.path,
            is_facet,
            self._request(request, reading, is_facet=is_facet),
        )

    def _request(self, request: Inbound, reading: "Reading", *, is_facet: bool) -> bytes:
        if is_facet:
            call = Call("GET", reading.path, headers=[IDENTITY])
        else:
            lines = headers.for_upstream(request.raw_headers)
            call = Call("GET", reading.path, reading.raw_query, lines)
        return written(call, self._authority).removesuffix(b"\r\n")

    def holds(self, course: Course) -> bool:
        """Whether caller, rights and owners are what they were, as far as this process knows."""
        if course.regime is not self._front.regime:
            return False
        if course.regime.authenticator.recall(course.token) is not course.caller:
            return False
        recall, team = self._ledger.recall, course.team
        return not team.owns or all(recall(thing) == team.name for thing in course.things)

    def send(self, passage: Passage) -> bool:
        """False, and nothing has happened, where something would have to be waited for."""
        course, exchange = passage.course, passage.exchange

        def request(proof: tuple[str, str]) -> bytes:
            return b"%bX-Request-Id: %b\r\ntraceparent: %b\r\n%b: %b\r\n\r\n" % (
                course.request,
                exchange.request_id.encode(),
                tracing.child(exchange.traceparent, urandom(8)).encode(),
                proof[0].encode(),
                proof[1].encode(),
            )

        passage.sending = self._connect.send_at_once(
            course.team.name, course.team.credential, request, passage.told
        )
        return passage.sending is not None


def _is_plain(request: Inbound, exchange: Exchange, answer: object) -> bool:
    """Whether the request was a read that ended as most do, and has nothing of its own."""
    if not exchange.passed_on or exchange.status != 200 or not isinstance(answer, Whole):
        return False
    if request.method != "GET" or request.body_exists or exchange.operation_id is not None:
        return False
    return not any(name in request.headers for name in _OWN_NAMES)

"""Reads passed on again: the same bytes, by the same caller, are sent as the journey sent them.

Only OL Connect's answer is new. Whatever cannot be told to be as it was, without waiting, takes the
journey, and so does what comes back as anything but a small, complete 200.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gateway.answers import Whole
from gateway.cache import PropertyCache
from gateway.connect import Connect
from gateway.exchange import Exchange
from gateway.express import writing
from gateway.facets import bypass_lines
from gateway.inbound import Inbound
from gateway.ledger import Ledger
from gateway.metrics import Counts
from gateway.model import Caller, Thing
from gateway.owners import may_change_hands
from gateway.problems import Draining, Problem
from gateway.requests import IDENTITY
from gateway.rules import caching, headers, tracing
from gateway.rules.credentials import Bearer
from gateway.rules.links import Origins
from gateway.rules.policy import TeamRules
from gateway.upstream.call import Call, written
from gateway.upstream.heads import AnswerHead
from gateway.upstream.sending import Sending

if TYPE_CHECKING:
    from gateway.front import Front, Reading, Regime

# They make a call its caller's own; heads that hold them do not come again, or ask for another
# answer than the one that OL Connect gives.
_OWN_NAMES = ("X-Request-Id", "traceparent", "If-None-Match")
_FORMS_KEPT = 4
_FACET, _PLAIN = "facet", "plain"
_BYPASS = writing.section(bypass_lines("%b"))


@dataclass(slots=True)
class Course:
    """How a read was passed on, and what that holds by.

    ``request`` lacks what is new each time, ``own`` is what the gateway adds to each answer.
    """

    regime: "Regime"
    token: str
    caller: Caller
    team: TeamRules
    things: list[Thing]
    disputable: list[Thing]  # those of them whose owner can change
    endpoint: str
    path: str
    kind: str
    request: bytes
    own: bytes
    counts: Counts | None = None

    def of(self, caller: Caller, token: str) -> "Course":
        """The same read by another caller, for whom the same teams speak."""
        # By hand: ``replace`` takes several times as long, and new tokens do this each time.
        return Course(
            self.regime,
            token,
            caller,
            self.team,
            self.things,
            self.disputable,
            self.endpoint,
            self.path,
            self.kind,
            self.request,
            self.own,
            self.counts,
        )


class Recipient(Protocol):
    """Whose read it is."""

    @property
    def is_draining(self) -> bool:
        """Whether the connection ends with the next answer."""

    def passed(self, said: bytes | None, problem: Problem | None) -> None:
        """Told the answer; or that there is none, and the problem if there must be no other try."""


class Passage(Sending):
    """One read on its way. ``cancel`` when its caller has left, or must be answered at once."""

    __slots__ = ("_ended", "_passing", "_recipient", "_span_id", "course", "exchange")

    def __init__(
        self,
        passing: "Passing",
        course: Course,
        exchange: Exchange,
        span_id: bytes,
        recipient: Recipient,
        *,
        ended: "Callable[[Passage, bool], None]",
    ) -> None:
        self._passing = passing
        self.course = course
        self.exchange = exchange
        self._span_id = span_id  # of the call to OL Connect
        self._recipient = recipient
        self._ended = ended

    @property
    def answered_by(self) -> "Passage":
        return self

    def request(self, proof: tuple[str, str]) -> bytes:
        exchange = self.exchange
        return b"%bX-Request-Id: %b\r\ntraceparent: %b\r\n%b: %b\r\n\r\n" % (
            self.course.request,
            exchange.request_id.encode(),
            tracing.child(exchange.traceparent, self._span_id).encode(),
            proof[0].encode(),
            proof[1].encode(),
        )

    def cancel(self) -> bool:
        if super().cancel():
            problem = self.exchange.problem
            if isinstance(problem, Draining):
                self._give_up(problem)
            else:
                self.exchange.left = True
                self._end()
        return True

    def told(self, head: AnswerHead | None, body: bytes, problem: Problem | None) -> None:
        if head is None:
            return self._give_up(problem)
        try:
            said = self._said(head, body)
        except Problem as fault:
            return self._give_up(fault)
        except Exception:
            # A mistake of ours: the journey will meet it, too, and report it.
            return self._give_up(None)
        self._end()
        self._recipient.passed(said, None)

    def _end(self) -> None:
        if self.course.kind is _FACET:
            self._passing.cache.bypassed()
        self._ended(self, True)

    def _give_up(self, problem: Problem | None) -> None:
        # What comes of it is for the journey to tell, as another exchange.
        self._ended(self, False)
        self._recipient.passed(None, problem)

    def _said(self, head: AnswerHead, body: bytes) -> bytes:
        exchange, course = self.exchange, self.course
        exchange.status, exchange.source = 200, "upstream"
        exchange.upstream_seconds = self.seconds
        exchange.bytes_out = len(body)
        forms = head.said
        form = forms.get(course.kind) or forms.get(course.path) or self._form(head)
        return b"%b%bX-Request-Id: %b\r\ntraceparent: %b\r\n%bContent-Length: %d\r\n%b%b" % (
            form,
            _BYPASS % caching.etag(body).encode() if course.kind is _FACET else b"",
            exchange.request_id.encode(),
            exchange.traceparent.encode(),
            course.own,
            len(body),
            writing.end(is_last=self._recipient.is_draining),
            body,
        )

    def _form(self, head: AnswerHead) -> bytes:
        """What becomes of OL Connect's own lines. Raises UpstreamInvalidResponse."""
        course, forms = self.course, head.said
        lines = headers.for_caller(head.raw_headers, self._passing.origins, course.path)
        if course.kind is _FACET:
            lines = [line for line in lines if line[0].lower() != "etag"]
        if len(forms) >= _FORMS_KEPT:
            forms.clear()
        # Few heads name places, which may be relative to the path.
        key = course.path if headers.names_places(head.raw_headers) else course.kind
        form = forms[key] = writing.start(200, lines)
        return form


class Passing:
    """What the journey has passed on to OL Connect for heads that came before."""

    def __init__(
        self,
        *,
        front: "Front",
        ledger: Ledger,
        connect: Connect,
        cache: PropertyCache,
        origins: Origins,
        authority: str,
    ) -> None:
        self._front = front
        self._ledger = ledger
        self._connect = connect
        self.cache = cache
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
        things = list(admission.named)
        if team.settings.limits.requests_per_second is not None:
            return  # the team's rate is counted, and told, request by request
        is_facet = reading.recognition.match().endpoint.facet is not None
        memo.course = Course(
            admission.regime,
            reading.shown.token,
            admission.caller,
            team,
            things,
            [thing for thing in things if may_change_hands(thing)] if team.owns else [],
            exchange.endpoint,
            reading.path,
            _FACET if is_facet else _PLAIN,
            self._request(request, reading, is_facet=is_facet),
            writing.section(line for line in exchange.headers if line[0] not in _OWN_NAMES),
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
        return not course.disputable or all(
            self._ledger.recall(thing) == course.team.name for thing in course.disputable
        )

    def send(self, passage: Passage) -> bool:
        """False, and nothing has happened, where something would have to be waited for."""
        team = passage.course.team
        return self._connect.begin_sending(passage, team.name, team.credential)


def _is_plain(request: Inbound, exchange: Exchange, answer: object) -> bool:
    """Whether the request was a read that ended as most do, and has nothing of its own."""
    if not exchange.passed_on or exchange.status != 200 or not isinstance(answer, Whole):
        return False
    if request.method != "GET" or request.body_exists or exchange.operation_id is not None:
        return False
    return not any(name in request.headers for name in _OWN_NAMES)

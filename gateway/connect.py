"""OL Connect, asked on a team's behalf: its turn, its credential, and the one safe repetition."""

from collections.abc import Callable

from gateway.catalogue import PREFIX
from gateway.problems import UpstreamCredentialRefused, UpstreamUnreachable
from gateway.rules.clock_offset import ClockOffset
from gateway.upstream.call import Call
from gateway.upstream.client import Upstream, sent_twice_at_most
from gateway.upstream.credentials import REFUSED, Account, Credentials
from gateway.upstream.gate import Gate
from gateway.upstream.reply import Reply
from gateway.upstream.sending import Sending, Way

# A write whose answer was lost may have been applied, and another's write may have followed it.
_HARMLESS = frozenset({"GET", "HEAD"})
_LOGGED_IN = f"{PREFIX}/authentication"
# Dates change once a second; what they tell when is worth the reading a few times in it.
_DATE_SECONDS = 0.3


class Connect:
    """Sends calls to OL Connect. What it yields is never a 401 or 403 of OL Connect's.

    ``now`` is Unix time.
    """

    def __init__(
        self,
        upstream: Upstream,
        credentials: Credentials,
        gate: Gate,
        now: Callable[[], float],
    ) -> None:
        self.upstream = upstream
        self.clock_offset = ClockOffset()
        self._now = now
        self._credentials = credentials
        self._gate = gate
        self._way = None
        if upstream.lines is not None:
            self._way = Way(upstream.breaker, gate, upstream.lines)

    def ask(self, call: Call, *, team: str, credential: str, repeatable: bool) -> "_Asking":
        """Send ``call`` as ``credential``; as ``async with``, the answer when its head is complete.

        A repeatable call is sent once more after a refused credential, and after a lost connection
        if it is one that changes nothing. Raises UpstreamCredentialRefused, UpstreamOverloaded, or
        what ``Upstream.send`` raises.
        """
        return _Asking(self, call, team, credential, repeatable)

    def begin_sending(self, sending: Sending, team: str, credential: str) -> bool:
        """As ``Sending.begin``."""
        account = self._credentials.find(credential)
        if self._way is None or account is None:
            return False
        return sending.begin(self._way, team, account)

    async def begin(self, call: Call, team: str, credential: str, repeatable: bool) -> Reply:
        """As ``ask``; what comes has to be given to ``end``."""
        account = self._credentials.account(credential)
        self.upstream.breaker.check()  # before a place in the queue is taken
        await self._gate.enter(team)
        try:
            if not repeatable and account.doubtful:
                await self._confirm(account)
            return await self._answer(call, account, 1 if repeatable else 0)
        except BaseException:
            self._gate.leave(team)
            raise

    def end(self, response: Reply, team: str) -> None:
        try:
            self.upstream.end(response)
        finally:
            self._gate.leave(team)

    async def _answer(self, call: Call, account: Account, repetitions: int) -> Reply:
        headers = call.headers
        while True:
            line = await account.line()
            call.headers = [*headers, line]
            asked = self._now()
            try:
                response = await self.upstream.open(call)
            except UpstreamUnreachable:
                if not (repetitions and call.sent and call.method in _HARMLESS):
                    raise
                # The connection was an old one that OL Connect had closed (RFC 9110 9.2.2).
                repetitions = 0
                continue
            if response.status not in REFUSED:
                account.confirm()
                self._note_date(response, asked)
                return response
            self.upstream.end(response)
            if not (account.refuse(line, response.status) and repetitions):
                raise UpstreamCredentialRefused
            repetitions = 0

    def _note_date(self, response: Reply, asked: float) -> None:
        answered = self._now()
        if abs(answered - self.clock_offset.at) >= _DATE_SECONDS:
            date = response.headers.get("Date")
            self.clock_offset = self.clock_offset.told(date, asked, answered)

    async def _confirm(self, account: Account) -> None:
        """Ask whether a token still serves, before it goes with what cannot be sent again.

        The vendor's own client does the same before it streams an upload.
        """
        line = await account.line()
        if not account.doubtful:
            return  # it was got just now
        call = Call("HEAD", _LOGGED_IN, headers=[line])
        async with sent_twice_at_most(self.upstream, call) as response:
            if response.status in REFUSED:
                account.refuse(line, response.status)
            elif response.status == 200:
                account.confirm()


class _Asking:
    # By hand: nearly every request does this, and a generator costs several times as much.
    __slots__ = ("_arguments", "_connect", "_response", "_team")

    def __init__(
        self, connect: Connect, call: Call, team: str, credential: str, repeatable: bool
    ) -> None:
        self._connect = connect
        self._team = team
        self._arguments = (call, team, credential, repeatable)

    async def __aenter__(self) -> Reply:
        self._response = await self._connect.begin(*self._arguments)
        return self._response

    async def __aexit__(self, *_: object) -> None:
        self._connect.end(self._response, self._team)

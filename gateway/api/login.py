"""The login bridge: an OL Connect client logs in here, and gets the issuer's token.

It answers as OL Connect does: 200, ``text/plain``, the token as body, ``Token-Expires-In``.
"""

from collections.abc import Callable

from gateway import answers
from gateway.auth.issuers import ConnectedIssuer
from gateway.front import Passage
from gateway.problems import TokenMissing
from gateway.rules.credentials import Basic, Bearer


class Login:
    """``now`` gives Unix time."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now

    async def handle(self, passage: Passage) -> answers.Answer:
        """Raises an Unauthenticated problem, or IssuerUnavailable."""
        shown = passage.shown
        if isinstance(shown, Basic):
            token, seconds = await self._grant(passage, shown)
        elif isinstance(shown, Bearer) and passage.caller is not None:
            token, seconds = shown.token, passage.caller.expires - self._now()
        else:
            raise TokenMissing
        lines = [
            ("Content-Type", "text/plain"),
            ("Token-Expires-In", str(max(0, int(seconds)))),
            ("Cache-Control", "no-store"),
        ]
        return answers.whole(passage.exchange, 200, lines, token.encode())

    async def _grant(self, passage: Passage, shown: Basic) -> tuple[str, float]:
        bridge = bridge_of(passage)
        granted = await bridge.login.client_credentials(shown.username, shown.password)
        # What the issuer grants must also open the door here: better known now than later.
        caller = await passage.regime.authenticator.identify(granted.access_token)
        passage.exchange.caller = caller
        return granted.access_token, caller.expires - self._now()


def bridge_of(passage: Passage) -> ConnectedIssuer:
    """The issuer asked for tokens: the first with ``login`` settings, else the first of all."""
    issuers = passage.regime.issuers.values()
    return next((issuer for issuer in issuers if issuer.settings.login), next(iter(issuers)))

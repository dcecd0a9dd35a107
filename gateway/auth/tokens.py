"""From a bearer token to the Caller it names, or the refusal that says why not."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from cachetools import LRUCache

from gateway.auth.introspection import (
    DEFAULT_LIFETIME_SECONDS,
    POSITIVE_SECONDS,
    Introspector,
    check_opaque,
)
from gateway.auth.jwks import VerificationKey
from gateway.auth.keys import IssuerKeys
from gateway.model import Caller
from gateway.problems import (
    IssuerUnavailable,
    Problem,
    TokenClaims,
    TokenIssuer,
    TokenMissing,
    TokenSignature,
)
from gateway.rules import claims, jose

# Counted in characters of tokens, because claims take memory as their tokens do.
MAX_REMEMBERED_CHARACTERS = 32 * 1024 * 1024
_FORGOTTEN_AT_ONCE = 1000
MAX_REFUSED = 256  # of 16 KiB at the most
UNKNOWN_ISSUER = "unknown"


@dataclass(frozen=True, slots=True)
class IssuerVerifier:
    """All that is needed to judge one issuer's tokens; ``name`` is the configuration's."""

    name: str
    expected: claims.Expectation
    algorithms: frozenset[str]
    keys: IssuerKeys
    introspector: Introspector | None = None


@dataclass(frozen=True, slots=True)
class _Verified:
    caller: Caller
    ends: float
    keys: IssuerKeys
    generation: int
    size: int


class Authenticator:
    """Judges tokens, and remembers by their exact text those that it found good.

    A remembered token is forgotten when it ends, and when its issuer's key set becomes another
    one: the key that vouched for it may be gone. Of refusals only bad signatures are remembered,
    for a moment and by the same keys: a client that goes on trying must not cost a check each time.
    What a ``predecessor`` remembers holds on for those verifiers whose keys are still in use.
    ``observe`` is told the issuer's name (or "unknown") and "success" or the problem's code.
    """

    def __init__(
        self,
        verifiers: Iterable[IssuerVerifier],
        now: Callable[[], float],
        observe: Callable[[str, str], None] = lambda issuer, result: None,
        predecessor: "Authenticator | None" = None,
    ) -> None:
        """Raises ``ValueError`` if two verifiers are for the same ``iss``."""
        self._verifiers = tuple(verifiers)
        self._by_issuer = {verifier.expected.issuer: verifier for verifier in self._verifiers}
        if len(self._by_issuer) != len(self._verifiers):
            raise ValueError("two issuers of the configuration have the same issuer URL")
        self._now = now
        self._observe = observe
        self._in_use = frozenset(verifier.keys for verifier in self._verifiers)
        self._verified: LRUCache[str, _Verified] = (
            predecessor._verified
            if predecessor
            else LRUCache(MAX_REMEMBERED_CHARACTERS, getsizeof=lambda entry: entry.size)
        )
        self._refused: LRUCache[str, tuple[IssuerVerifier, int, float]] = LRUCache(MAX_REFUSED)

    @property
    def ready(self) -> bool:
        """Whether every issuer's keys are at hand."""
        return all(verifier.keys.usable for verifier in self._verifiers)

    @property
    def remembered(self) -> int:
        """How many verified tokens are at hand."""
        return len(self._verified)

    def refresh_due(self) -> None:
        """To be called every few seconds: keys are renewed even if nobody shows a new token, and
        tokens forgotten that nobody shows any more."""
        for verifier in self._verifiers:
            verifier.keys.refresh_due()
        # The one that came first ends first, where all live equally long.
        oldest = list(islice(self._verified, _FORGOTTEN_AT_ONCE))
        for token in oldest:
            if self._verified[token].ends > self._now():
                return
            del self._verified[token]

    def recall(self, token: str) -> Caller | None:
        """The caller of a token that was verified before and still holds; never waits."""
        try:
            entry = self._verified[token]
        except KeyError:
            return None
        if entry.keys not in self._in_use:
            return None
        if entry.ends <= self._now() or entry.generation != entry.keys.generation:
            del self._verified[token]
            return None
        return entry.caller

    def refuses(self, token: str) -> bool:
        """Whether the token's signature was found bad a moment ago, by the keys in hand.

        It is counted as every refusal is.
        """
        refused = self._refused.get(token)
        if refused is None:
            return False
        verifier, generation, until = refused
        if generation != verifier.keys.generation or self._now() >= until:
            del self._refused[token]
            return False
        if verifier.keys not in self._in_use:
            return False
        self._observe(verifier.name, TokenSignature.code)
        return True

    async def identify(self, token: str) -> Caller:
        """Raises an ``Unauthenticated`` problem or ``IssuerUnavailable``."""
        caller = self.recall(token)
        if caller is None:
            if self.refuses(token):
                raise TokenSignature
            caller = await self._judge(token)
        self._observe(caller.issuer, "success")
        return caller

    def identify_at_once(self, token: str) -> Caller | None:
        """The caller of a good token, where nothing has to be waited for; None says nothing."""
        caller = self.recall(token)
        if caller is not None:
            return caller
        try:
            unverified = jose.parse(token)
            verifier = self._verifier_of(unverified)
            algorithm = _algorithm_of(unverified, verifier)
            candidates = verifier.keys.at_hand(unverified.kid, algorithm)
            if not _is_signed(unverified, algorithm, candidates):
                if candidates and not verifier.keys.may_change:
                    self._bad_signature(token, verifier)  # not to be checked a second time
                return None
            caller = self._accept(token, unverified, verifier)
        except Problem:
            return None
        self._observe(caller.issuer, "success")
        return caller

    async def _judge(self, token: str) -> Caller:
        verifier: IssuerVerifier | None = None
        try:
            if not token:
                raise TokenMissing
            if self._is_opaque(token):
                return await self._introspect(token)
            unverified = jose.parse(token)
            verifier = self._verifier_of(unverified)
            return await self._verify(token, unverified, verifier)
        except Problem as problem:
            self._observe(verifier.name if verifier else UNKNOWN_ISSUER, problem.code)
            raise

    def _is_opaque(self, token: str) -> bool:
        return not jose.is_compact_jws(token) and any(
            verifier.introspector for verifier in self._verifiers
        )

    def _verifier_of(self, unverified: jose.UnverifiedToken) -> IssuerVerifier:
        issuer = unverified.payload.get("iss")
        verifier = self._by_issuer.get(issuer) if isinstance(issuer, str) else None
        if verifier is None:
            raise TokenIssuer
        return verifier

    async def _verify(
        self, token: str, unverified: jose.UnverifiedToken, verifier: IssuerVerifier
    ) -> Caller:
        algorithm = _algorithm_of(unverified, verifier)
        keys = verifier.keys
        candidates = await keys.keys_for(unverified.kid, algorithm)
        if not _is_signed(unverified, algorithm, candidates):
            # The issuer may have put another key under the same kid, or under none.
            if not await keys.reread():
                raise self._bad_signature(token, verifier)
            candidates = await keys.keys_for(unverified.kid, algorithm)
            if not _is_signed(unverified, algorithm, candidates):
                raise self._bad_signature(token, verifier)
        return self._accept(token, unverified, verifier)

    def _accept(
        self, token: str, unverified: jose.UnverifiedToken, verifier: IssuerVerifier
    ) -> Caller:
        """Of a token whose signature is good; raises what its claims speak against."""
        keys = verifier.keys
        claims.check(unverified.payload, verifier.expected, self._now())
        expires = claims.seconds(unverified.payload, "exp")
        caller = _caller(verifier, unverified.payload, expires)
        ends = min(expires + verifier.expected.leeway_seconds, keys.kept_until)
        self._remember(token, caller, ends, keys)
        return caller

    async def _introspect(self, token: str) -> Caller:
        """Asks each issuer that can be asked, in the configuration's order, until one knows it."""
        check_opaque(token)
        unanswered: IssuerUnavailable | None = None
        for verifier in self._verifiers:
            if verifier.introspector is None:
                continue
            try:
                answer = await verifier.introspector.claims_of(token)
            except IssuerUnavailable as problem:
                unanswered = problem
                continue
            if answer is not None:
                return self._introspected(token, answer, verifier)
        raise unanswered or TokenClaims("The issuer says that this token is not active.")

    def _introspected(
        self, token: str, answer: Mapping[str, Any], verifier: IssuerVerifier
    ) -> Caller:
        now = self._now()
        claims.check_introspected(answer, verifier.expected, now)
        stated = claims.seconds(answer, "exp") if "exp" in answer else None
        expires = now + DEFAULT_LIFETIME_SECONDS if stated is None else stated
        caller = _caller(verifier, answer, expires)
        self._remember(token, caller, min(expires, now + POSITIVE_SECONDS), verifier.keys)
        return caller

    def _bad_signature(self, token: str, verifier: IssuerVerifier) -> TokenSignature:
        # Until the issuer may be asked again whether it has another key.
        keys = verifier.keys
        self._refused[token] = (verifier, keys.generation, keys.reread_from)
        return TokenSignature()

    def _remember(self, token: str, caller: Caller, ends: float, keys: IssuerKeys) -> None:
        self._verified[token] = _Verified(caller, ends, keys, keys.generation, len(token))


def _algorithm_of(unverified: jose.UnverifiedToken, verifier: IssuerVerifier) -> str:
    """By which the token says that it is signed. Raises what its header speaks against."""
    algorithm = jose.check_header(unverified.header, verifier.algorithms)
    jose.check_signed(unverified)
    return algorithm


def _is_signed(
    unverified: jose.UnverifiedToken, algorithm: str, candidates: Iterable[VerificationKey]
) -> bool:
    return any(
        key.verifies(algorithm, unverified.signing_input, unverified.signature)
        for key in candidates
    )


def _caller(verifier: IssuerVerifier, stated: Mapping[str, Any], expires: float) -> Caller:
    return Caller(verifier.name, claims.subject_of(stated), stated, expires)

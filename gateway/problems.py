"""Every way in which the gateway refuses a request, as its caller sees it.

A problem may be raised anywhere; ``gateway.observe`` renders it once, in the form of the face it
happened on. ``code`` is also the metric label, so the set of codes is closed: it is this file.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class Problem(Exception):
    """A refusal. ``detail`` says what to do next; it never quotes a secret or the upstream.

    ``parameter`` names the field, header or id at fault, ``headers`` go out with the answer,
    ``members`` are extension members of the body (RFC 9457 section 3.2).
    """

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]

    def __init__(
        self,
        detail: str = "",
        *,
        parameter: str | None = None,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        self.detail = detail or f"{self.title}."
        self.parameter = parameter
        self.headers = dict(headers or {})
        self.members = dict(members or {})
        super().__init__(self.detail)


# 400: the request's form


class MalformedRequest(Problem):
    code, status, title = "malformed_request", 400, "The request is malformed"


class AmbiguousCredentials(Problem):
    code, status, title = "ambiguous_credentials", 400, "Two different credentials were sent"


class AmbiguousPath(Problem):
    code, status, title = "ambiguous_path", 400, "The path can be read in more than one way"


# 401: who is asking


class Unauthenticated(Problem):
    """A 401. ``challenge_error`` is the ``error`` of RFC 6750 section 3.1, None if none applies."""

    status = 401
    challenge_error: ClassVar[str | None] = "invalid_token"


class TokenMissing(Unauthenticated):
    code, title = "token_missing", "A bearer token is required"
    # RFC 6750 section 3: a request without any credential gets no error code.
    challenge_error = None


class TokenMalformed(Unauthenticated):
    code, title = "token_malformed", "The token is not a well-formed JWT"


class TokenExpired(Unauthenticated):
    code, title = "token_expired", "The token has expired"


class TokenSignature(Unauthenticated):
    code, title = "token_signature", "The token's signature does not verify"


class TokenIssuer(Unauthenticated):
    code, title = "token_issuer", "The token's issuer is not trusted here"


class TokenAudience(Unauthenticated):
    code, title = "token_audience", "The token is meant for another audience"


class TokenKeyUnknown(Unauthenticated):
    code, title = "token_key_unknown", "The token was signed with a key the issuer does not publish"


class TokenAlgorithm(Unauthenticated):
    code, title = "token_algorithm", "The token's algorithm is not accepted"


class TokenClaims(Unauthenticated):
    code, title = "token_claims", "A claim of the token is missing or wrong"


# 403 to 405: rights and endpoints


class NoTeam(Problem):
    code, status, title = "no_team", 403, "The caller belongs to no team"


class NotAllowed(Problem):
    code, status, title = "not_allowed", 403, "The team may not do this"


class UnknownEndpoint(Problem):
    code, status, title = "unknown_endpoint", 404, "There is no such endpoint"


class NotFound(Problem):
    """Someone else's object and nobody's object: the same answer, whichever it is."""

    code, status, title = "not_found", 404, "There is no such object"


class MethodNotAllowed(Problem):
    code, status, title = "method_not_allowed", 405, "The endpoint does not know this method"


# 409 to 431: state, preconditions, bodies, limits


class OperationRunning(Problem):
    code, status, title = "operation_running", 409, "The operation is still running"


class IdempotencyInProgress(Problem):
    code, status, title = (
        "idempotency_in_progress",
        409,
        "The first request with this Idempotency-Key is still under way",
    )


class PreconditionFailed(Problem):
    code, status, title = "precondition_failed", 412, "The object has changed in the meantime"


class BodyTooLarge(Problem):
    code, status, title = "body_too_large", 413, "The body is too large"


class UnsupportedMediaType(Problem):
    code, status, title = "unsupported_media_type", 415, "The body's media type is not accepted"


class IdempotencyMismatch(Problem):
    code, status, title = (
        "idempotency_mismatch",
        422,
        "The Idempotency-Key was used before with another request",
    )


class InvalidParameters(Problem):
    code, status, title = "invalid_parameters", 422, "The request's content is not valid"


class RateLimited(Problem):
    code, status, title = "rate_limited", 429, "Too many requests"


class TooManyOperations(Problem):
    code, status, title = "too_many_operations", 429, "Too many operations are running"


class HeadersTooLarge(Problem):
    code, status, title = "headers_too_large", 431, "The request's header is too large"


# 500: a mistake of the gateway's own, which no caller can cause on purpose


class InternalError(Problem):
    code, status, title = "internal_error", 500, "The gateway failed"


# 502 to 504: the way to OL Connect


class UpstreamUnreachable(Problem):
    code, status, title = "upstream_unreachable", 502, "OL Connect cannot be reached"


class UpstreamInvalidResponse(Problem):
    code, status, title = (
        "upstream_invalid_response",
        502,
        "OL Connect sent an answer that cannot be passed on",
    )


class UpstreamCredentialRefused(Problem):
    code, status, title = (
        "upstream_credential_refused",
        502,
        "OL Connect refused the gateway's own credential",
    )


class Draining(Problem):
    code, status, title = "draining", 503, "The gateway is shutting down"


class IssuerUnavailable(Problem):
    code, status, title = "issuer_unavailable", 503, "The token issuer's keys cannot be had"


class StoreUnavailable(Problem):
    code, status, title = "store_unavailable", 503, "The gateway's store cannot be reached"


class UpstreamOverloaded(Problem):
    code, status, title = "upstream_overloaded", 503, "OL Connect has more work than it can take"


class UpstreamTimeout(Problem):
    code, status, title = "upstream_timeout", 504, "OL Connect did not answer in time"


def _leaves(kind: type[Problem]) -> list[type[Problem]]:
    subclasses = kind.__subclasses__()
    if not subclasses:
        return [kind]
    return [leaf for subclass in subclasses for leaf in _leaves(subclass)]


PROBLEMS: dict[str, type[Problem]] = {kind.code: kind for kind in _leaves(Problem)}
"""Every problem by its code, in the order of this file."""

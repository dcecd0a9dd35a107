"""The vocabulary in which an endpoint of the simplified face is described."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
ANY = "*/*"


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body. ``schema`` names a component; None is a document of any media type."""

    schema: str | None
    media_types: Sequence[str]
    examples: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer. ``content`` maps media types to components, None to raw bytes or text.

    ``headers`` name components; ``example`` is that of the JSON.
    """

    status: int
    description: str
    content: Mapping[str, str | None] = field(default_factory=dict)
    headers: Sequence[str] = ()
    example: Any = None


@dataclass(frozen=True, slots=True)
class Described:
    """One endpoint. ``parameters`` name components beyond those of the path; ``problems`` are
    codes beyond those that any request may meet."""

    tag: str
    summary: str
    description: str
    answers: Sequence[Answer]
    parameters: Sequence[str] = ()
    body: Body | None = None
    problems: Sequence[str] = ()


ANY_REQUEST = (
    "malformed_request",
    "ambiguous_credentials",
    "ambiguous_path",
    "token_missing",
    "token_malformed",
    "token_expired",
    "token_signature",
    "token_issuer",
    "token_audience",
    "token_key_unknown",
    "token_algorithm",
    "token_claims",
    "no_team",
    "rate_limited",
    "headers_too_large",
    "internal_error",
    "draining",
    "issuer_unavailable",
    "store_unavailable",
)
UPSTREAM = (
    "upstream_unreachable",
    "upstream_invalid_response",
    "upstream_credential_refused",
    "upstream_overloaded",
    "upstream_timeout",
)
OBJECT = ("not_allowed", "not_found", *UPSTREAM)
READ_BODY = ("body_too_large", "unsupported_media_type", "invalid_parameters")
START = (
    "not_allowed",
    "too_many_operations",
    "body_too_large",
    "idempotency_mismatch",
    "idempotency_in_progress",
    "invalid_parameters",
    *UPSTREAM,
)

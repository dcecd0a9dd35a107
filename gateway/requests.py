"""From a caller's request to the call that OL Connect gets: the same bytes, other credentials."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from os import urandom
from typing import IO, Any

from gateway.bodies import CallerBody
from gateway.catalogue import Role
from gateway.exchange import Exchange
from gateway.front import Passage
from gateway.model import Kind, Thing
from gateway.operation import Operation
from gateway.problems import InvalidParameters, MalformedRequest
from gateway.rules import documents, headers, ids, paths, scrutiny, tracing
from gateway.starts import Start, checked_key, fingerprint
from gateway.upstream.call import Call

# Answers that the gateway must understand have to arrive as they are.
IDENTITY = ("Accept-Encoding", "identity")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for beyond its path: its body, and what was read of it.

    ``content`` is None where the body was left to stream. ``readable`` is false where a body
    that names objects could not be understood, and the team may send it all the same.
    """

    body: CallerBody
    content: bytes | None = None
    document: Any = None
    things: list[Thing] = field(default_factory=list)
    readable: bool = True


def reads_body(passage: Passage) -> bool:
    """Whether objects or presets may stand in the body of such a request."""
    endpoint = passage.endpoint
    if endpoint.body or endpoint.role is Role.SEARCH:
        return True
    return passage.team.owns and scrutiny.reads_body(endpoint)


async def read(passage: Passage, body: CallerBody) -> Asked:
    """Read the body where objects or presets stand in it.

    A team that may touch any object with any preset is free to send what only OL Connect
    understands; for every other team what cannot be decided is refused, with MalformedRequest or
    InvalidParameters.
    """
    endpoint = passage.endpoint
    if not reads_body(passage):
        return Asked(body)
    content = await body.read()
    if not content:
        return Asked(body, content)
    try:
        document = documents.read(content)
        return Asked(body, content, document, ids.of_body(endpoint, document))
    except (MalformedRequest, InvalidParameters):
        if passage.team.owns or passage.team.restricts_presets(endpoint):
            raise
        return Asked(body, content, readable=False)


def scrutinise(passage: Passage, asked: Asked) -> None:
    """Raises InvalidParameters for what the team's rights cannot be checked against."""
    team, endpoint = passage.team, passage.endpoint
    checked = team.owns or team.restricts_presets(endpoint)
    if checked and asked.content is not None and asked.readable:
        scrutiny.check(endpoint, asked.document, asked.things)


def call_of(passage: Passage, asked: Asked, *, must_read_answer: bool) -> Call:
    """The call to OL Connect: path and query byte for byte as they were authorised."""
    lines = headers.for_upstream(passage.request.raw_headers)
    if must_read_answer:
        lines = [line for line in lines if line[0].lower() != "accept-encoding"]
        lines.append(IDENTITY)
    call = Call(
        passage.request.method,
        passage.path,
        passage.raw_query,
        lines + identifying_lines(passage.exchange),
    )
    if asked.content is not None:
        call.body = asked.content or None
    elif asked.body.exists:
        if asked.body.length is not None:
            call.headers.append(("Content-Length", str(asked.body.length)))
        call.body = asked.body.stream(call)
    return call


def identifying_lines(exchange: Exchange) -> list[tuple[str, str]]:
    """By what OL Connect's own log can be joined to ours."""
    return [
        ("X-Request-Id", exchange.request_id),
        ("traceparent", tracing.child(exchange.traceparent, urandom(8))),
    ]


def is_repeatable(passage: Passage, asked: Asked) -> bool:
    if passage.request.earlier is not None or not passage.endpoint.repeatable:
        return False
    return asked.content is not None or not asked.body.exists


def is_synchronous(passage: Passage) -> bool:
    """Whether a start answers with its result at once: the ad-hoc All-In-One with async=false."""
    if passage.endpoint.name != _SYNCHRONOUS:
        return False
    values = paths.query_values(passage.raw_query, "async")
    if len(values) > 1:
        raise MalformedRequest("The query names async more than once.", parameter="async")
    return any(value.lower() == "false" for value in values)


_SYNCHRONOUS = "all_in_one.process_adhoc"
"""The only start that can be asked to answer with its result."""


async def start_of(passage: Passage, asked: Asked) -> Start:
    """The start that a request asks for.

    With an Idempotency-Key a streamed body is first taken in whole, on disk: whether it is the
    same as before has to be known before anything is sent.
    """
    key = checked_key(passage.header("Idempotency-Key"))
    call = call_of(passage, asked, must_read_answer=False)
    start = Start(operation_of(passage, asked), call, key)
    if key is None:
        return start
    if asked.content is not None or not asked.body.exists:
        digest = hashlib.sha256(asked.content or b"").hexdigest()
    else:
        file, digest = await asked.body.spool()
        call.body, start.held = _pieces(file), file
    start.fingerprint = _fingerprint(passage, digest)
    return start


def operation_of(passage: Passage, asked: Asked) -> Operation:
    """The record of the operation to be, without its id and time."""
    caller = passage.caller
    assert caller is not None
    team = passage.team
    return Operation(
        id="",
        service=passage.endpoint.service,
        endpoint=passage.endpoint.name,
        team=team.name,
        issuer=caller.issuer,
        subject=caller.subject,
        credential=team.credential,
        created=0.0,
        leaves=ids.result_of(passage.endpoint, asked.document),
        presets=tuple(ids.presets([*passage.named, *asked.things])),
        create_only=_creates_only(asked.document),
    )


def _creates_only(document: Any) -> bool:
    if not isinstance(document, dict):
        return False
    step = document.get("outputcreation", document)
    return isinstance(step, dict) and step.get("createOnly") is True


def _fingerprint(passage: Passage, digest: str) -> str:
    target = f"{passage.path}?{passage.raw_query}"
    content_type = passage.header("Content-Type") or ""
    return fingerprint(passage.request.method, target, content_type, digest)


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece


_PIECE_BYTES = 64 * 1024


def kind_sought(passage: Passage, asked: Asked) -> Kind | None:
    """What a search looks for; only a team that is shown its own objects has to say."""
    if passage.endpoint.role is not Role.SEARCH or not passage.team.owns:
        return None
    return ids.searched(asked.document)

"""Job creation and output creation, asked for in JSON."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError, to_json

from gateway import requests
from gateway.answers import Answer
from gateway.api import Handler, content
from gateway.api.starting import Starting, record
from gateway.catalogue import CATALOGUE, ENDPOINTS, Endpoint
from gateway.front import Passage
from gateway.model import Kind, Thing
from gateway.ownership import Ownership
from gateway.problems import (
    AmbiguousPath,
    InvalidParameters,
    MalformedRequest,
    Problem,
    UnknownEndpoint,
    UpstreamInvalidResponse,
)
from gateway.rules import documents, paths, policy
from gateway.rules.documents import Selector
from gateway.rules.routes import RouteTable
from gateway.settings.teams import ParameterValue
from gateway.starts import Start, checked_key, fingerprint
from gateway.upstream.call import Call

_ROUTES = RouteTable(CATALOGUE)
_JOBS = ENDPOINTS["job_creation.process"]
_OUTPUT_OF_JOB_SET = ENDPOINTS["output_creation.process_by_job_set"]
_OUTPUT_OF_JOBS = ENDPOINTS["output_creation.process_by_job"]
_PRESET = Selector("preset")
_MOST_IDS = 10_000

Id = Annotated[int, Field(ge=0, lt=10**19)]
Ids = Annotated[list[Id], Field(min_length=1, max_length=_MOST_IDS)]


class _Body(BaseModel):
    """Names are the JSON's own (contract section 6)."""

    model_config = ConfigDict(extra="forbid", strict=True)

    preset: Any  # judged by ``documents``, by the rules for presets in OL Connect's own bodies


Body = TypeVar("Body", bound=_Body)


class JobsBody(_Body):
    contentSets: Ids
    parameters: dict[Annotated[str, Field(min_length=1)], ParameterValue] = {}


class OutputBody(_Body):
    jobSet: Id | None = None
    jobs: Ids | None = None
    createOnly: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.jobSet is None) == (self.jobs is None):
            raise PydanticCustomError("one", "give either jobSet or jobs")
        return self


@dataclass(frozen=True, slots=True)
class Wanted:
    """A start, as OL Connect is to be asked for it."""

    endpoint: Endpoint
    preset: str
    things: Sequence[Thing]
    document: Mapping[str, Any]
    leaves: Kind
    create_only: bool = False


@dataclass(frozen=True, slots=True)
class Creation:
    starting: Starting
    ownership: Ownership

    def handlers(self) -> Mapping[str, Handler]:
        return {"api.create_jobs": self.jobs, "api.create_output": self.output}

    async def jobs(self, passage: Passage) -> Answer:
        await self.starting.admit(passage)
        document = await _read(passage)
        body = _judged(JobsBody, document)
        parameters = {"parameters": body.parameters} if body.parameters else {}
        wanted = Wanted(
            _JOBS,
            _preset(body),
            [Thing(Kind.CONTENT_SET, str(id_)) for id_ in body.contentSets],
            {"identifiers": body.contentSets} | parameters,
            Kind.JOB_SET,
        )
        return await self._start(passage, wanted, document)

    async def output(self, passage: Passage) -> Answer:
        await self.starting.admit(passage)
        document = await _read(passage)
        body = _judged(OutputBody, document)
        sent: dict[str, Any] = {"createOnly": body.createOnly}
        if body.jobs is not None:
            endpoint, sent["identifiers"] = _OUTPUT_OF_JOBS, body.jobs
            things = [Thing(Kind.JOB, str(id_)) for id_ in body.jobs]
        else:
            endpoint, sent["identifier"] = _OUTPUT_OF_JOB_SET, body.jobSet
            things = [Thing(Kind.JOB_SET, str(body.jobSet))]
        wanted = Wanted(endpoint, _preset(body), things, sent, Kind.FILE, body.createOnly)
        return await self._start(passage, wanted, document)

    async def _start(self, passage: Passage, wanted: Wanted, document: Any) -> Answer:
        path = _path(wanted.endpoint, wanted.preset)
        passage.choose(policy.choose(passage.teams, wanted.endpoint, [wanted.preset]))
        things = [Thing(Kind.PRESET, wanted.preset), *wanted.things]
        passage.exchange.things += things
        await self.ownership.require(passage.team, things)
        lines = [("Content-Type", "application/json"), requests.IDENTITY]
        call = Call("POST", path, headers=lines + requests.identifying_lines(passage.exchange))
        call.body = to_json(wanted.document)
        operation = replace(
            record(passage, wanted.endpoint, wanted.leaves, (wanted.preset,)),
            create_only=wanted.create_only,
        )
        key = checked_key(passage.header("Idempotency-Key"))
        start = Start(operation, call, key, _fingerprint(passage, document))
        return await self.starting.begin(passage, start, _refused)


async def _read(passage: Passage) -> Any:
    if not passage.request.body_exists:
        raise InvalidParameters("The body must be a JSON object.", parameter="body")
    document = await content.read(passage, content.JSON)
    if not isinstance(document, dict):
        raise InvalidParameters("The body must be a JSON object.", parameter="body")
    return document


def _judged(kind: type[Body], document: Any) -> Body:
    """Raises InvalidParameters, naming the first field at fault."""
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise InvalidParameters(
            f"{first['msg'][:1].upper()}{first['msg'][1:]}.",
            parameter=_place(first["loc"]) or "body",
        ) from error


def _place(steps: Sequence[int | str]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".")


def _preset(body: _Body) -> str:
    return documents.find({"preset": body.preset}, _PRESET, names=True)[0]


def _path(endpoint: Endpoint, preset: str) -> str:
    """Raises InvalidParameters for a name that would make another endpoint of the path."""
    path = endpoint.template.replace("{configId}", quote(preset, safe=""))
    try:
        paths.canonical(path)
        if _ROUTES.recognise("POST", path).match().endpoint is endpoint:
            return path
    except (AmbiguousPath, MalformedRequest, UnknownEndpoint):
        pass
    raise InvalidParameters("No preset can have this name.", parameter="preset")


def _fingerprint(passage: Passage, document: Any) -> str:
    text = json.dumps(document, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return fingerprint("POST", f"{passage.path}?{passage.raw_query}", content.JSON, digest)


def _refused(status: int, message: str) -> Problem:
    if status in (400, 404):
        return InvalidParameters(message)
    return UpstreamInvalidResponse(message)

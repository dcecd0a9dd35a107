"""The shapes of the simplified face's JSON, from which the document's schemas are made."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel
from pydantic.alias_generators import to_camel

Id = Annotated[int, Field(ge=0, lt=2**63, json_schema_extra={"format": "int64"})]
"""OL Connect's ids are Java longs."""

Ids = Annotated[list[Id], Field(min_length=1, max_length=10_000)]

Preset = Annotated[str, Field(min_length=1, max_length=255)] | Id
"""A managed file's name, or its number."""

IdText = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,18})$")]

MOST_JOBS = 500


class Shape(BaseModel):
    """Written in camel case."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Problem(BaseModel):
    """Why a request was refused (RFC 9457). The code is stable; so is the type made of it."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="urn:olconnect-gateway:problem: and the code.")
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str = Field(description="What was wrong with this request, and what to do next.")
    code: str = Field(description="Stable, for programs.")
    request_id: str = Field(description="Also in X-Request-Id and in the gateway's log.")
    parameter: str | None = Field(
        default=None, description="The field, header or id at fault. Absent if there is none."
    )


class Links(Shape):
    """Where an operation can be watched, fetched and canceled."""

    self: str
    events: str
    result: str
    cancel: str


class Failure(BaseModel):
    """Why an operation failed, in OL Connect's own words where it has any."""

    code: str
    title: str
    status: int
    detail: str


class Result(RootModel[dict[str, Id | str | list[Id | str]]]):
    """The ids of what an operation left behind: dataSet, contentSets, jobSet or file."""


class Operation(Shape):
    """Something that OL Connect works on, or worked on in the last 24 hours."""

    id: str
    service: str = Field(description="The service of OL Connect that carries it out.")
    status: Literal["running", "succeeded", "failed", "canceled"]
    progress: Annotated[int, Field(ge=0, le=100)]
    created: datetime
    finished: datetime | None
    team: str
    subject: str = Field(description="Who started it.")
    result: Result | None = Field(
        description="The ids of what it left behind; null while it runs and for a document."
    )
    problem: Failure | None = Field(description="Why it failed.")
    links: Links


class Operations(Shape):
    """Newest first."""

    operations: list[Operation]


class JobsRequest(Shape):
    """A job creation."""

    model_config = ConfigDict(extra="forbid")

    preset: Preset = Field(description="The job creation preset.")
    content_sets: Ids
    parameters: dict[Annotated[str, Field(min_length=1)], str | bool | int | float] = Field(
        default={}, description="Runtime parameters of the preset."
    )


class OutputOfJobSet(Shape):
    """An output creation of everything in a job set."""

    model_config = ConfigDict(extra="forbid")

    preset: Preset = Field(description="The output creation preset.")
    job_set: Id
    create_only: bool = Field(default=False, description="Do not send it on, only create it.")


class OutputOfJobs(Shape):
    """An output creation of certain jobs."""

    model_config = ConfigDict(extra="forbid")

    preset: Preset = Field(description="The output creation preset.")
    jobs: Ids
    create_only: bool = Field(default=False, description="Do not send it on, only create it.")


class OutputRequest(RootModel[OutputOfJobSet | OutputOfJobs]):
    """An output creation."""


class Pipeline(Shape):
    """A named run from a data file to a document."""

    name: str
    content_type: str = Field(description="Media type of the result.")
    teams: list[str] = Field(description="Those of the caller's teams that may run it.")


class Pipelines(Shape):
    """In the order of the configuration."""

    pipelines: list[Pipeline]


class RequestLimit(Shape):
    """A token bucket."""

    per_second: float
    burst: int
    remaining: int


class OperationLimit(Shape):
    """How many may run at a time."""

    limit: int
    remaining: int


class LimitsLeft(Shape):
    """null: not limited."""

    requests: RequestLimit | None
    running_operations: OperationLimit | None


class Team(Shape):
    """What a team may do."""

    name: str
    objects: Literal["own", "any"]
    pipelines: list[str]
    endpoints: list[str] = Field(description="OL Connect's endpoints that a grant covers.")
    limits: LimitsLeft


class Me(Shape):
    """The caller, as the token says, and the caller's teams, the one that counts first."""

    subject: str
    issuer: str
    expires: int = Field(description="When the token ends, Unix time.")
    teams: list[Team]


class Job(Shape):
    """A job and the segments in it."""

    id: Id
    segments: list[Id]


class ContentItem(Shape):
    """A content item and the data record it was made of."""

    item: Id
    record: Id


class JobContents(Shape):
    """What a job was made of."""

    items: list[ContentItem]


class Values(RootModel[dict[str, str]]):
    """Names and values. Values are text and stay text: 007 does not become 7."""


class ValuesPatch(RootModel[dict[str, str | None]]):
    """RFC 7396: null removes a name; names that are absent stay as they are."""


class JobsValues(RootModel[Annotated[dict[IdText, Values], Field(min_length=1)]]):
    """Values by job id, at most 500."""

    model_config = ConfigDict(
        json_schema_extra={"maxProperties": MOST_JOBS, "additionalProperties": False}
    )


class JobsValuesRead(BaseModel):
    """Values by job id; under "problems", by job id, why those that are missing are missing."""

    model_config = ConfigDict(
        json_schema_extra={"additionalProperties": {"$ref": "#/components/schemas/Values"}}
    )

    problems: dict[IdText, Problem] | None = Field(default=None)


class Updated(Shape):
    """The jobs that were written."""

    updated: list[Id]


REQUESTS: tuple[type[BaseModel], ...] = (JobsRequest, OutputRequest, ValuesPatch, JobsValues)
ANSWERS: tuple[type[BaseModel], ...] = (
    Problem,
    Operation,
    Operations,
    Result,
    Pipelines,
    Me,
    Job,
    JobContents,
    Values,
    JobsValuesRead,
    Updated,
)

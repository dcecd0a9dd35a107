"""For whom callers ask: teams with their rights. And what they can run: pipelines."""

from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    StrictFloat,
    StrictInt,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gateway.settings.base import Form, PresetName, Record, Text

EndpointPattern = Annotated[
    str,
    Form(r"\*|[a-z_*]+\.[a-z_*]+", "must be service.method, * for any part: job_creation.*"),
]
PipelinePattern = Annotated[
    str, Form(r"[A-Za-z0-9_*-]+", "must be a pipeline's name, * for any part: invoice-*")
]
Claim = Annotated[
    str, Form(r"[^.]+(\.[^.]+)*", "must be a claim's name, or names with single dots between")
]
_MEDIA_WORD = r"[A-Za-z0-9!#$&^_.+-]+"  # RFC 6838 section 4.2
MediaType = Annotated[
    str,
    Form(
        rf"{_MEDIA_WORD}/{_MEDIA_WORD}(; ?[A-Za-z0-9-]+=[A-Za-z0-9._-]+)*",
        "must be a media type: application/pdf",
    ),
]


def _not_a_wildcard(value: str) -> str:
    if value == "*":
        raise PydanticCustomError("wildcard", "must be a claim's value: '*' does not mean everyone")
    return value


MemberValue = Annotated[Text, AfterValidator(_not_a_wildcard)]


class Members(Record):
    """Who belongs to a team, by a claim of their token."""

    issuer: Text = Field(description="Name of the issuer whose tokens count.")
    claim: Claim = Field(
        description="The claim to look at; dots lead into nested claims: realm_access.roles."
    )
    any_of: tuple[MemberValue, ...] = Field(
        min_length=1, description="The claim must be, or contain, one of these."
    )


class Grant(Record):
    """A right to some endpoints, perhaps only for some presets."""

    endpoints: tuple[EndpointPattern, ...] = Field(
        min_length=1,
        description="Endpoint names; * stands for any part of one side of the dot, alone for all.",
    )
    presets: tuple[PresetName, ...] | None = Field(
        None,
        min_length=1,
        description="What configId or templateId must match: name, number or pattern; null: any.",
    )


class Limits(Record):
    """How much a team may ask for. What is null is not limited."""

    requests_per_second: Annotated[StrictFloat, Field(gt=0, le=1e6, allow_inf_nan=False)] | None = (
        Field(None, description="Requests per second on average.")
    )
    burst: Annotated[StrictInt, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="Requests at once before the average counts; null: one second's worth."
    )
    running_operations: Annotated[StrictInt, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="Operations running at a time."
    )

    @model_validator(mode="after")
    def _burst_has_a_rate(self) -> Self:
        if self.burst is not None and self.requests_per_second is None:
            raise PydanticCustomError("burst", "burst has no effect without requests_per_second")
        return self


class Team(Record):
    """A group of callers with their rights, and the account they use at OL Connect."""

    members: Members = Field(description="Who belongs to the team.")
    credential: Text = Field(description="Name of the credential used at OL Connect.")
    objects: Literal["own", "any"] = Field(
        "own",
        description="own: only operations and entities the team brought about; any: all.",
    )
    allow: tuple[Grant, ...] = Field((), description="What the team may call; nothing else.")
    pipelines: tuple[PipelinePattern, ...] = Field(
        (), description="Names of the pipelines the team may run; * allowed."
    )
    limits: Limits = Field(Limits(), description="How much the team may ask for.")


def _parameter(value: object) -> str | bool | int | float:
    if not isinstance(value, (str, bool, int, float)) or (
        isinstance(value, float) and not isfinite(value)
    ):
        raise PydanticCustomError("parameter", "must be text, a number, true or false")
    return value


ParameterValue = Annotated[
    str | bool | int | float,
    PlainValidator(_parameter),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
Parameters = Mapping[str, ParameterValue]


class PipelineParameters(Record):
    """Runtime parameters of a pipeline's stages; values are text, numbers or booleans."""

    data_mapping: Parameters = Field(
        default={}, description="Runtime parameters of the data mapping."
    )
    template: Parameters = Field(default={}, description="Runtime parameters of the template.")
    job: Parameters = Field(default={}, description="Runtime parameters of the job creation.")


class Pipeline(Record):
    """A named All-In-One run. Managed files go by name or number."""

    data_mapping: PresetName = Field(description="The data mapping configuration.")
    template: PresetName = Field(description="The template.")
    job_preset: PresetName | None = Field(
        None, description="The job creation preset; null: OL Connect's default."
    )
    output_preset: PresetName = Field(description="The output creation preset.")
    content_type: MediaType = Field("application/pdf", description="Media type of the result.")
    parameters: PipelineParameters = Field(
        PipelineParameters(), description="Runtime parameters of the stages."
    )

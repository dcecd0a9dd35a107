"""What all configuration records have in common."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class Record(BaseModel):
    """One mapping of the configuration: fixed keys, never changed once loaded."""

    # Inputs stay out of errors because any of them may be a secret in the wrong place.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )


def _number_as_text(value: Any) -> Any:
    return str(value) if type(value) is int else value


@dataclass(frozen=True, slots=True)
class Form:
    """What a text must look like: as a pattern for machines, in ``words`` for the operator."""

    pattern: str
    words: str

    def check(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise PydanticCustomError("form", "{words}", {"words": self.words})
        return text

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^({self.pattern})$"}


Name = Annotated[
    str, Form(r"[A-Za-z0-9_-]{1,64}", "a name has 1 to 64 characters, only A-Z, a-z, 0-9, - and _")
]
"""What an operator calls an issuer, credential, team or pipeline; also a metric label."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=1024)]

PresetName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1024),
    BeforeValidator(_number_as_text),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "minLength": 1, "maxLength": 1024}, {"type": "integer"}]}
    ),
]
"""A managed file by name or number; always text in Python."""

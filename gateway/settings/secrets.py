"""Secrets: named in the configuration, resolved while it is loaded, shown nowhere."""

import hmac
from collections.abc import Callable
from typing import Any, Never

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from gateway.settings.sources import Sources, sources_of, why_unreadable

HIDDEN = "**********"
_FORMS = "must be exactly one of {env: NAME}, {file: PATH} and {value: TEXT}"


def _refuse(kind: str, reason: str) -> Never:
    # The reason is passed as data: a brace in a file's name would be taken for a template.
    raise PydanticCustomError(kind, "{reason}", {"reason": reason})


def _from_environment(name: str, sources: Sources) -> str:
    if name not in sources.environ:
        _refuse("secret_env", "the environment variable named in env is not set")
    return sources.environ[name]


def _from_file(path: str, sources: Sources) -> str:
    try:
        content = sources.read(sources.resolve(path)).decode()
    except OSError as error:
        _refuse("secret_file", f"the file named in file {why_unreadable(error)}")
    except UnicodeDecodeError:
        _refuse("secret_file", "the file named in file is not UTF-8 text")
    return content.removesuffix("\n").removesuffix("\r")


def _as_written(text: str, sources: Sources) -> str:
    return text


_KINDS: dict[str, Callable[[str, Sources], str]] = {
    "env": _from_environment,
    "file": _from_file,
    "value": _as_written,
}


def _form(kind: str) -> JsonSchemaValue:
    return {
        "type": "object",
        "properties": {kind: {"type": "string", "minLength": 1}},
        "required": [kind],
        "additionalProperties": False,
    }


SECRET_SCHEMA: JsonSchemaValue = {"oneOf": [_form(kind) for kind in _KINDS]}


def resolve(written: Any, sources: Sources) -> str:
    """The secret's text. Raises PydanticCustomError, whose message never quotes ``written``."""
    if not isinstance(written, dict) or len(written) != 1:
        _refuse("secret", _FORMS)
    kind, argument = next(iter(written.items()))
    if kind not in _KINDS or not isinstance(argument, str) or not argument:
        _refuse("secret", f"{_FORMS}, with text that is not empty")
    text = _KINDS[kind](argument, sources)
    if not text:
        _refuse("secret_empty", "the secret is empty")
    return text


class Secret:
    """A text that only ``reveal()`` shows; ``repr``, ``str`` and dumps show asterisks."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Secret({HIDDEN!r})"

    def __str__(self) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self._text.encode(errors="surrogatepass"), other._text.encode(errors="surrogatepass")
        )

    def __hash__(self) -> int:
        return hash(self._text)

    @classmethod
    def _validate(cls, value: Any, info: ValidationInfo) -> "Secret":
        return value if isinstance(value, cls) else cls(resolve(value, sources_of(info)))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return dict(SECRET_SCHEMA)

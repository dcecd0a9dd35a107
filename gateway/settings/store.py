"""Where facts that must outlive a request are kept: ``memory:``, ``sqlite:`` or ``redis://``."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Never

from pydantic import PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError, Url

from gateway.settings.secrets import SECRET_SCHEMA, Secret, resolve
from gateway.settings.sources import sources_of

_REDIS = re.compile(r"rediss?://[!-\[\]-~]+")
_FORMS = "must be memory:, sqlite:PATH or redis://HOST:PORT/DB"


@dataclass(frozen=True, slots=True)
class Store:
    """``path`` is that of SQLite; ``url`` is that of Redis, secret as it may hold a password."""

    kind: Literal["memory", "sqlite", "redis"]
    path: Path | None = None
    url: Secret | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.path or self.url or ''}"


def _refuse(reason: str) -> Never:
    raise PydanticCustomError("store", "{reason}", {"reason": reason})


def _parse_redis(text: str, *, may_hold_password: bool) -> Store:
    try:
        url = Url(text) if _REDIS.fullmatch(text) else None
    except ValueError:
        url = None
    if url is None or not url.host or url.query or url.fragment:
        _refuse(_FORMS)
    if not re.fullmatch(r"/?|/[0-9]{1,4}", url.path or ""):
        _refuse("must name its database by number: redis://HOST:PORT/0")
    if (url.username or url.password) and not may_hold_password:
        _refuse("has a user name or password: give the whole URL as {env: NAME} or {file: PATH}")
    return Store("redis", url=Secret(text))


def parse_store(value: Any, info: ValidationInfo) -> Store:
    """A text, or a secret whose content is that text."""
    if isinstance(value, Store):
        return value
    sources = sources_of(info)
    is_secret = isinstance(value, dict)
    text = resolve(value, sources) if is_secret else value
    if not isinstance(text, str):
        _refuse(_FORMS)
    if text == "memory:":
        return Store("memory")
    if text.startswith(("redis://", "rediss://")):
        return _parse_redis(text, may_hold_password=is_secret)
    path = text.removeprefix("sqlite:")
    if path == text or not path or path == ":memory:" or "\0" in path:
        _refuse(_FORMS)
    return Store("sqlite", path=sources.resolve(path))


StoreUrl = Annotated[
    Store,
    PlainValidator(parse_store),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^(memory:|sqlite:.+|rediss?://[^\s@]+)$"},
                SECRET_SCHEMA,
            ]
        }
    ),
]

"""The whole configuration: one frozen record per section, keys as attributes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    PrivateAttr,
    StrictInt,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gateway.settings.addresses import Address, Origin
from gateway.settings.base import Name, Record
from gateway.settings.identities import Credential, Introspection, Issuer, JwksFile, JwksUrl, Login
from gateway.settings.listeners import Admin, Cors, Listen, Log, Upstream, UpstreamTls
from gateway.settings.sources import Stamp, have_changed, sources_of
from gateway.settings.store import Store, StoreUrl
from gateway.settings.teams import (
    Grant,
    Limits,
    Members,
    Pipeline,
    PipelineParameters,
    Team,
)
from gateway.settings.units import Duration, Size, duration_between, size_between

__all__ = [
    "Address",
    "Admin",
    "Cache",
    "Cors",
    "Credential",
    "Grant",
    "Introspection",
    "Issuer",
    "JwksFile",
    "JwksUrl",
    "Limits",
    "Listen",
    "Log",
    "Login",
    "Members",
    "Pipeline",
    "PipelineParameters",
    "PropertiesCache",
    "Settings",
    "Store",
    "Team",
    "Upstream",
    "UpstreamTls",
]


class PropertiesCache(Record):
    """The cache of entities' properties and metadata."""

    ttl: Annotated[Duration, duration_between("0s", "24h")] = Field(
        60.0, description="How long an entry is fresh; 0s: nothing is cached; at most 24h."
    )
    max_entries: Annotated[StrictInt, Field(ge=1, le=10_000_000)] = Field(
        50_000, description="Entries kept at a time."
    )
    max_size: Annotated[Size, size_between("1KiB", "64GiB")] = Field(
        64 * 2**20, description="Bytes of all entries together; 1KiB to 64GiB."
    )
    stale_if_error: Annotated[Duration, duration_between("0s", "24h")] = Field(
        600.0,
        description="How old an entry may be that is served while OL Connect cannot answer.",
    )


class Cache(Record):
    """What is remembered of OL Connect's answers."""

    properties: PropertiesCache = Field(
        PropertiesCache(), description="The cache of entities' properties and metadata."
    )


class Settings(Record):
    """Configuration of the OL Connect gateway."""

    version: Literal[1] = Field(description="Version of the configuration's form: 1.")
    public_url: Origin = Field(
        description="The only origin ever handed to a caller; no path prefix."
    )
    listen: Listen = Field(Listen(), description="The public listener.")
    admin: Admin = Field(Admin(), description="The listener for operators.")
    upstream: Upstream = Field(description="OL Connect Server, as the gateway reaches it.")
    store: StoreUrl = Field(
        "sqlite:state/olgw.db",
        # The default is relative as well, hence parsed like what an operator writes.
        validate_default=True,
        description="memory:, sqlite:PATH or redis://HOST:PORT/DB, or a secret holding that.",
    )
    log: Log = Field(Log(), description="What is written down.")
    issuers: Mapping[Name, Issuer] = Field(
        min_length=1, description="Whose tokens are accepted, by a name of your choice."
    )
    credentials: Mapping[Name, Credential] = Field(
        min_length=1, description="Who the gateway is at OL Connect, by a name of your choice."
    )
    teams: Mapping[Name, Team] = Field(
        min_length=1, description="For whom callers ask; the first that fits counts."
    )
    pipelines: Mapping[Name, Pipeline] = Field(
        default={}, description="Named All-In-One runs of the simplified face."
    )
    cache: Cache = Field(Cache(), description="What is remembered of OL Connect's answers.")

    _stamps: dict[Path, Stamp | None] = PrivateAttr(default_factory=dict)

    def files(self) -> list[Path]:
        """Every file that was read: the configuration, secrets, key sets, certificates."""
        return list(self._stamps)

    def is_outdated(self) -> bool:
        """Whether one of ``files()`` has changed since it was read. Looks at the disk."""
        return have_changed(self._stamps)

    @field_validator("store")
    @classmethod
    def _is_shared_by_workers(cls, store: Store, info: ValidationInfo) -> Store:
        listen = info.data.get("listen")
        if listen is not None and listen.workers > 1 and store.kind != "redis":
            raise PydanticCustomError(
                "store_workers", "must be redis:// when listen.workers is more than 1"
            )
        return store

    @model_validator(mode="after")
    def _remember_files(self, info: ValidationInfo) -> Self:
        self._stamps = dict(sources_of(info).files)
        return self

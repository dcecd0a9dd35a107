"""The gateway's two listeners, its way to OL Connect, and its log. A restart changes them."""

import ssl
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, StrictInt, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from gateway.settings.addresses import Address, CorsOrigin, ListenAddress, Network, Origin
from gateway.settings.base import Record
from gateway.settings.sources import FilePath, sources_of, why_unreadable
from gateway.settings.units import Duration, Size, duration_between, size_between


class Cors(Record):
    """Which pages in a browser may call the gateway."""

    origins: tuple[CorsOrigin, ...] = Field(
        (), description="Origins whose pages may call the gateway: scheme, host and port."
    )
    max_age: Annotated[Duration, duration_between("0s", "24h")] = Field(
        600.0, description="How long a browser may remember a preflight's answer; at most 24h."
    )


class Listen(Record):
    """The public listener."""

    address: ListenAddress = Field(
        Address("0.0.0.0", 8080),  # noqa: S104 - the public listener is meant to be reached
        description="HOST:PORT of the public listener; IPv6 in brackets.",
    )
    workers: Annotated[StrictInt, Field(ge=1, le=64)] = Field(
        1, description="Processes that share the listener; more than one needs store: redis://."
    )
    trusted_proxies: tuple[Network, ...] = Field(
        (),
        description="Networks whose X-Forwarded-For (in logs and limits) and X-Forwarded-Proto (in "
        "traces) are believed.",
    )
    max_connections_per_client: Annotated[StrictInt, Field(ge=1, le=1_000_000)] = Field(
        10_000, description="Connections of one address at a time, per worker; proxies not counted."
    )
    max_body: Annotated[Size, size_between("1B", "1TiB")] = Field(
        2 * 2**30, description="Largest request body; 1B to 1TiB."
    )
    max_header: Annotated[Size, size_between("1KiB", "256KiB")] = Field(
        32 * 2**10, description="Largest request header; 1KiB to 256KiB."
    )
    drain_timeout: Annotated[Duration, duration_between("0s", "1h")] = Field(
        30.0, description="How long a stop waits for the requests under way; at most 1h."
    )
    cors: Cors = Field(Cors(), description="Which pages in a browser may call the gateway.")
    express: StrictBool = Field(
        True,
        description="Answer plain, small requests where they arrive; false: aiohttp reads all.",
    )


class Admin(Record):
    """The listener for operators, never reachable by callers."""

    address: ListenAddress = Field(
        Address("127.0.0.1", 9090),
        description="HOST:PORT of /metrics, /livez and /readyz; IPv6 in brackets.",
    )


class UpstreamTls(Record):
    """How OL Connect's certificate is checked, when its URL is https."""

    ca_file: FilePath | None = Field(
        None, description="Certificates (PEM) to trust instead of the system's."
    )
    verify: StrictBool = Field(
        True, description="Check OL Connect's certificate; false trusts whoever answers."
    )

    @field_validator("ca_file")
    @classmethod
    def _holds_certificates(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is None:
            return None
        try:
            pem = sources_of(info).read(path).decode("ascii", errors="ignore")
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
        except ssl.SSLError as error:
            raise PydanticCustomError("ca_file", "holds no certificates in PEM form") from error
        except OSError as error:
            reason = {"reason": why_unreadable(error)}
            raise PydanticCustomError("ca_file", "the file {reason}", reason) from error
        except ValueError as error:
            raise PydanticCustomError("ca_file", "holds no certificates in PEM form") from error
        return path

    @model_validator(mode="after")
    def _means_what_it_says(self) -> Self:
        if self.ca_file is not None and not self.verify:
            raise PydanticCustomError("tls", "ca_file has no effect with verify: false")
        return self


class Upstream(Record):
    """OL Connect Server, as the gateway reaches it."""

    url: Origin = Field(description="Origin of OL Connect Server's REST API.")
    aliases: tuple[Origin, ...] = Field(
        (), description="Other origins OL Connect may put into its links."
    )
    connect_timeout: Annotated[Duration, duration_between("100ms", "1m")] = Field(
        3.0, description="Longest wait for a connection; 100ms to 1m."
    )
    read_timeout: Annotated[Duration, duration_between("100ms", "1h")] = Field(
        60.0,
        description="Longest wait between two reads; 100ms to 1h. A download has no total limit.",
    )
    max_connections: Annotated[StrictInt, Field(ge=1, le=10_000)] = Field(
        100,
        description="Connections to OL Connect at a time, per worker; "
        "of ten or more one team cannot hold the last tenth.",
    )
    tls: UpstreamTls = Field(
        UpstreamTls(), description="How OL Connect's certificate is checked, if its URL is https."
    )


class Log(Record):
    """What is written down."""

    format: Literal["json", "text"] = Field(
        "json", description="json: one object per line; text: for a person at a terminal."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least serious event that is logged."
    )
    requests: Literal["all", "problems", "none"] = Field(
        "all", description="Which requests get a line: all, those with a problem, or none."
    )
    audit: FilePath | None = Field(
        None, description="File that gets a line for every decision on access; null: none."
    )

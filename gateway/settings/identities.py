"""Who callers are (issuers of tokens) and who the gateway is at OL Connect (credentials)."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gateway.settings.addresses import DiscoveryOrUrl, EndpointUrl, IssuerUrl
from gateway.settings.base import Form, Record, Text
from gateway.settings.secrets import Secret
from gateway.settings.sources import FilePath, sources_of, why_unreadable
from gateway.settings.units import Duration, duration_between

Algorithm = Literal[
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
]
"""Asymmetric only: with a shared secret, whoever can verify a token can also make one."""


class JwksUrl(Record):
    """A key set at an address of its own."""

    url: EndpointUrl = Field(description="URL of the JSON Web Key Set.")


class JwksFile(Record):
    """A key set on disk, for an issuer that the gateway cannot reach."""

    file: FilePath = Field(description="File with a JSON Web Key Set; read again when it changes.")

    @field_validator("file")
    @classmethod
    def _holds_keys(cls, path: Path, info: ValidationInfo) -> Path:
        try:
            content = json.loads(sources_of(info).read(path))
        except OSError as error:
            reason = {"reason": why_unreadable(error)}
            raise PydanticCustomError("jwks_file", "the file {reason}", reason) from error
        except (ValueError, RecursionError):
            content = None
        keys = content.get("keys") if isinstance(content, dict) else None
        if not isinstance(keys, list) or not keys:
            raise PydanticCustomError("jwks_file", "holds no JSON Web Key Set with keys")
        return path


def _kind_of_jwks(value: Any) -> str:
    if isinstance(value, JwksFile) or (isinstance(value, dict) and "file" in value):
        return "<file>"
    if isinstance(value, (JwksUrl, dict)):
        return "<url>"
    return "<discovery>"


Jwks = Annotated[
    Annotated[Literal["discovery"], Tag("<discovery>")]
    | Annotated[JwksUrl, Tag("<url>")]
    | Annotated[JwksFile, Tag("<file>")],
    Discriminator(_kind_of_jwks),
]
# The tags become part of an error's place; in angle brackets no key can be mistaken for one.
JWKS_TAGS = frozenset({"<discovery>", "<url>", "<file>"})


class Introspection(Record):
    """How opaque tokens are looked up at their issuer (RFC 7662)."""

    client_id: Text = Field(description="The gateway's own client at the issuer.")
    client_secret: Secret = Field(description="That client's secret.")
    url: DiscoveryOrUrl = Field(
        "discovery", description="The introspection endpoint, or discovery to ask the issuer."
    )


class Login(Record):
    """What the login bridge asks for with the client-credentials grant (RFC 6749 section 4.4)."""

    scope: Text | None = Field(None, description="Scope to ask for; null: the client's default.")
    audience: Text | None = Field(
        None, description="Audience to ask for, where the issuer wants it named; null: none."
    )
    resource: Text | None = Field(
        None, description="Resource to ask for, where the issuer wants that (RFC 8707); null: none."
    )
    url: DiscoveryOrUrl = Field(
        "discovery", description="The token endpoint, or discovery to ask the issuer."
    )


class Issuer(Record):
    """An OpenID provider or OAuth 2 authorization server whose tokens are accepted."""

    issuer: IssuerUrl = Field(
        description="The issuer exactly as its tokens name it in iss; https except on loopback."
    )
    audiences: tuple[Text, ...] = Field(
        min_length=1, description="A token must name at least one of these in aud."
    )
    algorithms: tuple[Algorithm, ...] = Field(
        ("RS256", "PS256", "ES256", "EdDSA"),
        min_length=1,
        description="Accepted signature algorithms, asymmetric only.",
    )
    jwks: Jwks = Field(
        "discovery", description="Where the keys are: discovery, {url: URL} or {file: PATH}."
    )
    leeway: Annotated[Duration, duration_between("0s", "5m")] = Field(
        30.0, description="How far the issuer's clock may be off; at most 5m."
    )
    introspection: Introspection | None = Field(
        None, description="How opaque tokens are looked up (RFC 7662); null: they are refused."
    )
    login: Login | None = Field(
        None,
        description="What the login bridge asks for beside the grant itself; null: nothing.",
    )


Username = Annotated[
    str, Form(r"[^:\x00-\x1f\x7f]{1,256}", "must be text without colon and control characters")
]


class Credential(Record):
    """One account of the gateway's at OL Connect."""

    kind: Literal["basic", "auth_token"] = Field(
        description="basic: sent with every request; auth_token: OL Connect's login, kept fresh."
    )
    username: Username = Field(description="The account's name; without a colon (RFC 7617).")
    password: Secret = Field(description="The account's password.")
    encoding: Literal["utf-8", "latin-1"] = Field(
        "utf-8", description="How name and password become bytes in Basic authentication."
    )

    @model_validator(mode="after")
    def _can_be_encoded(self) -> Self:
        try:
            f"{self.username}{self.password.reveal()}".encode(self.encoding)
        except UnicodeEncodeError:
            pass
        else:
            return self
        # Raised outside of the except clause: the cause would carry the password along.
        raise PydanticCustomError(
            "encoding", "the name or password has characters that encoding cannot express"
        )

"""Discovery documents: whose they are, and where they may send us."""

from typing import Any

import pytest

from gateway.auth.discovery import is_protected, read_metadata
from gateway.auth.requests import IssuerFault

ISSUER = "https://id.example.com/realms/corp"


def test_a_full_document() -> None:
    metadata = read_metadata(
        {
            "issuer": ISSUER,
            "jwks_uri": f"{ISSUER}/certs",
            "token_endpoint": f"{ISSUER}/token",
            "introspection_endpoint": f"{ISSUER}/introspect",
            "token_endpoint_auth_methods_supported": ["client_secret_post", 5],
        },
        ISSUER,
    )
    assert metadata.jwks_uri == f"{ISSUER}/certs"
    assert metadata.token_endpoint == f"{ISSUER}/token"
    assert metadata.introspection_endpoint == f"{ISSUER}/introspect"
    assert metadata.token_auth_methods == {"client_secret_post"}


def test_an_empty_document() -> None:
    metadata = read_metadata({"issuer": ISSUER}, ISSUER)
    assert metadata.jwks_uri is None
    assert metadata.token_auth_methods == {"client_secret_basic"}


@pytest.mark.parametrize("issuer", [None, ISSUER + "/", ISSUER.upper(), [ISSUER], "https://other"])
def test_another_issuers_document(issuer: Any) -> None:
    with pytest.raises(IssuerFault, match="another issuer"):
        read_metadata({"issuer": issuer}, ISSUER)


@pytest.mark.parametrize(
    "document",
    [
        {"jwks_uri": "http://id.example.com/certs"},
        {"jwks_uri": "file:///keys"},
        {"token_endpoint": 5},
        {"introspection_endpoint": "https://user@id.example.com/"},
        {"token_endpoint_auth_methods_supported": "client_secret_basic"},
    ],
    ids=str,
)
def test_documents_that_lead_astray(document: dict[str, Any]) -> None:
    with pytest.raises(IssuerFault):
        read_metadata({"issuer": ISSUER} | document, ISSUER)


@pytest.mark.parametrize(
    ("url", "protected"),
    [
        ("https://id.example.com/certs", True),
        ("http://127.0.0.1:8090/certs", True),
        ("http://[::1]/certs", True),
        ("http://localhost/certs", True),
        ("http://localhost.example.com/", False),
        ("http://127.0.0.1.example.com/", False),
        ("http://10.0.0.1/", False),
        ("ftp://127.0.0.1/", False),
        ("data:application/json,{}", False),
        ("https://a:b@id.example.com/", False),
        ("https:///certs", False),
        ("//id.example.com/", False),
        ("https://[::1/", False),
        ("", False),
    ],
)
def test_protected_addresses(url: str, protected: bool) -> None:
    assert is_protected(url) is protected

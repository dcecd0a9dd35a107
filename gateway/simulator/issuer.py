"""A small OpenID provider for the demo and the tests: real keys, real sockets, switchable faults.

It knows clients, not people: tokens come from the client-credentials grant, or from ``mint``.
"""

import asyncio
import base64
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import unquote_plus

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_NO_STORE = {"Cache-Control": "no-store"}


class Fault(StrEnum):
    """How an endpoint can misbehave."""

    SERVER_ERROR = "server_error"
    HTML = "html"
    GARBAGE = "garbage"
    EMPTY = "empty"
    REDIRECT = "redirect"
    RESET = "reset"
    HANG = "hang"
    WRONG_ISSUER = "wrong_issuer"  # discovery only
    NO_KEYS = "no_keys"  # jwks only


@dataclass(frozen=True, slots=True)
class Client:
    """A known client: its secret, and the claims that its tokens bear."""

    secret: str = field(repr=False)
    claims: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key under its kid."""

    kid: str
    algorithm: str
    private: PrivateKey

    def public_jwk(self) -> dict[str, Any]:
        """As real providers publish it: ``alg`` and ``use`` included."""
        algorithm = get_default_algorithms()[self.algorithm]
        jwk = dict(algorithm.to_jwk(self.private.public_key(), as_dict=True))
        jwk.pop("key_ops", None)
        return jwk | {"kid": self.kid, "alg": self.algorithm, "use": "sig"}


def new_key(algorithm: str) -> SigningKey:
    """A fresh key for RS256, PS256, ES256, ES384, ES512 or EdDSA, with a random kid."""
    private: PrivateKey
    match algorithm:
        case "ES256":
            private = ec.generate_private_key(ec.SECP256R1())
        case "ES384":
            private = ec.generate_private_key(ec.SECP384R1())
        case "ES512":
            private = ec.generate_private_key(ec.SECP521R1())
        case "EdDSA":
            private = ed25519.Ed25519PrivateKey.generate()
        case _:
            private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return SigningKey(f"{algorithm.lower()}-{secrets.token_hex(4)}", algorithm, private)


class DemoIssuer:
    """Discovery, key set, token endpoint and introspection on one port.

    ``faults`` maps an endpoint's name (discovery, jwks, token, introspection) to what is wrong
    with it, ``requests`` counts by the same names, ``published`` replaces the key set if not None.
    """

    def __init__(
        self,
        clients: Mapping[str, Client] | None = None,
        *,
        audience: str = "olconnect",
        algorithms: tuple[str, ...] = ("RS256", "ES256"),
        now: Callable[[], float] = time.time,
    ) -> None:
        self.clients = dict(clients or {})
        self.audience = audience
        self.keys = [new_key(algorithm) for algorithm in algorithms]
        self.published: list[Any] | None = None
        self.faults: dict[str, Fault] = {}
        self.requests: Counter[str] = Counter()
        self.auth_methods = ["client_secret_basic", "client_secret_post"]
        self._now = now
        self._url: str | None = None
        self._runner: web.AppRunner | None = None
        self._opaque: dict[str, dict[str, Any]] = {}
        self._stopping = asyncio.Event()

    @property
    def url(self) -> str:
        """The issuer's identifier; known once it runs."""
        if self._url is None:
            raise RuntimeError("the issuer does not run yet")
        return self._url

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listens; port 0 lets the system choose."""
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/jwks", self._jwks)
        app.router.add_get("/elsewhere", self._elsewhere)
        app.router.add_post("/token", self._token)
        app.router.add_post("/introspect", self._introspection)
        self._stopping.clear()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self._url = self._url or f"http://{host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Frees the port; a later ``start`` on the same port is the same issuer again."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def rotate(self, *, keep_old: bool = False) -> None:
        """New keys of the same kinds; the old ones stay published or go."""
        fresh = [new_key(algorithm) for algorithm in dict.fromkeys(k.algorithm for k in self.keys)]
        self.keys = fresh + (self.keys if keep_old else [])

    def mint(
        self,
        *,
        subject: str = "someone",
        ttl_seconds: float = 3600,
        algorithm: str = "RS256",
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A token signed with the newest key of the algorithm; None as a claim leaves it out."""
        key = next(key for key in self.keys if key.algorithm == algorithm)
        payload = self._payload(subject, ttl_seconds) | claims
        stated = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(
            stated,
            key.private,
            algorithm=algorithm,
            headers={"kid": key.kid, "typ": "at+jwt"} | dict(header or {}),
        )

    def mint_opaque(
        self, *, subject: str = "someone", ttl_seconds: float = 3600, **claims: Any
    ) -> str:
        """A token that only introspection can explain."""
        token = secrets.token_urlsafe(32)
        self._opaque[token] = self._payload(subject, ttl_seconds) | claims
        return token

    def revoke(self, token: str) -> None:
        self._opaque.pop(token, None)

    def _payload(self, subject: str, ttl_seconds: float) -> dict[str, Any]:
        now = int(self._now())
        return {
            "iss": self.url,
            "sub": subject,
            "aud": self.audience,
            "iat": now,
            "exp": now + int(ttl_seconds),
            "jti": secrets.token_hex(8),
        }

    async def _discovery(self, request: web.Request) -> web.StreamResponse:
        issuer = self.url
        if self.faults.get("discovery") is Fault.WRONG_ISSUER:
            issuer = f"{self.url}/other"
        document = {
            "issuer": issuer,
            "jwks_uri": f"{self.url}/jwks",
            "token_endpoint": f"{self.url}/token",
            "introspection_endpoint": f"{self.url}/introspect",
            "token_endpoint_auth_methods_supported": self.auth_methods,
            "grant_types_supported": ["client_credentials"],
            "id_token_signing_alg_values_supported": [key.algorithm for key in self.keys],
        }
        return await self._answer(request, "discovery", document)

    async def _jwks(self, request: web.Request) -> web.StreamResponse:
        keys = [] if self.faults.get("jwks") is Fault.NO_KEYS else self._published()
        return await self._answer(request, "jwks", {"keys": keys})

    async def _elsewhere(self, request: web.Request) -> web.StreamResponse:
        """Where redirects lead: good keys, for whoever follows."""
        return await self._answer(request, "elsewhere", {"keys": self._published()})

    def _published(self) -> list[Any]:
        if self.published is not None:
            return self.published
        return [key.public_jwk() for key in self.keys]

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        client_id = self._client_of(request, form)
        if client_id is None:
            return await self._answer(request, "token", {"error": "invalid_client"}, 401)
        if form.get("grant_type") != "client_credentials":
            return await self._answer(request, "token", {"error": "unsupported_grant_type"}, 400)
        granted = dict(self.clients[client_id].claims)
        if "scope" in form:
            granted["scope"] = form["scope"]
        if "audience" in form:
            granted["aud"] = form["audience"]
        token = self.mint(subject=client_id, client_id=client_id, **granted)
        document = {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
        return await self._answer(request, "token", document)

    async def _introspection(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        if self._client_of(request, form) is None:
            return await self._answer(request, "introspection", {"error": "invalid_client"}, 401)
        claims = self._opaque.get(form.get("token", ""))
        active = claims is not None and claims["exp"] > self._now()
        document = {"active": True} | claims if claims and active else {"active": False}
        return await self._answer(request, "introspection", document)

    def _client_of(self, request: web.Request, form: Mapping[str, str]) -> str | None:
        """The client that proved itself, by Basic or in the form (RFC 6749 section 2.3.1)."""
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                shown = base64.b64decode(encoded, validate=True).decode()
            except ValueError:
                return None
            client_id, _, secret = (unquote_plus(part) for part in shown.partition(":"))
        client = self.clients.get(client_id)
        if client is None or not secrets.compare_digest(client.secret.encode(), secret.encode()):
            return None
        return client_id

    async def _answer(
        self, request: web.Request, endpoint: str, document: Mapping[str, Any], status: int = 200
    ) -> web.StreamResponse:
        self.requests[endpoint] += 1
        match self.faults.get(endpoint):
            case Fault.SERVER_ERROR:
                return web.Response(status=500, text="out of order")
            case Fault.HTML:
                return web.Response(text="<h1>Maintenance</h1>", content_type="text/html")
            case Fault.GARBAGE:
                return web.Response(body=b'{"keys": [\xff', content_type="application/json")
            case Fault.EMPTY:
                return web.Response(body=b"", content_type="application/json")
            case Fault.REDIRECT:
                return web.Response(status=302, headers={"Location": f"{self.url}/elsewhere"})
            case Fault.RESET if request.transport is not None:
                request.transport.abort()
            case Fault.HANG:
                await self._stopping.wait()
        text = json.dumps(document)
        return web.Response(
            status=status, text=text, content_type="application/json", headers=_NO_STORE
        )

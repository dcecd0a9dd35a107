"""Hostile requests with a secret in them, wherever one may end up by mistake or on purpose."""

import base64
from collections.abc import Callable

from tests.support.wire import head

P = "/rest/serverengine"
JOB = f"{P}/entity/jobs/7/properties"
UPLOAD = f"{P}/filestore/DataFile?filename=a"

Hostile = Callable[[str], bytes]
"""The bytes to send, with this secret in them."""


def _lines(*lines: str, method: str = "GET", target: str = JOB) -> Hostile:
    return lambda secret: head(method, target, *(line.replace("{}", secret) for line in lines))


def _first(line: str) -> Hostile:
    return lambda secret: f"{line.replace('{}', secret)}\r\nHost: a\r\n\r\n".encode("latin-1")


def _chunks(text: str) -> Hostile:
    def build(secret: str) -> bytes:
        start = head("POST", UPLOAD, "Transfer-Encoding: chunked", token=secret)
        return start + text.replace("{}", secret).encode("latin-1")

    return build


MALFORMED: dict[str, Hostile] = {
    "a method": _first("{} / HTTP/1.1"),
    "a version": _first("GET / HTTP/{}"),
    "no target": _first("GET{}"),
    "a long line": lambda secret: _first(f"GET /{secret * 40} HTTP/1.1")(secret),
    "userinfo": _first("GET http://{}@gateway.test/rest HTTP/1.1"),
    "an authority": _first("CONNECT {}:443 HTTP/1.1"),
    "a fragment": _first("GET /rest#{} HTTP/1.1"),
    "a control character": _first("GET /{}\x01 HTTP/1.1"),
    "no colon": _lines("{}"),
    "a name with a blank": _lines("{} : x"),
    "a blank before the colon": _lines("Authorization : Bearer {}"),
    "a long value": lambda secret: _lines(f"Authorization: Bearer {secret * 60}")(secret),
    "a long name": lambda secret: _lines(f"{secret * 60}: x")(secret),
    "a bare CR": _lines("Authorization: Bearer {}\rX: y"),
    "a bare LF": _lines("Authorization: Bearer {}\nX Y"),
    "a NUL": _lines("auth_token: {}\0"),
    "a folded line": _lines("Authorization: Bearer", " {}"),
    "a name in Latin-1": _lines("{}\xe4: x"),
    "many lines": lambda secret: _lines(*(f"X-{n}: {secret[:100]}" for n in range(300)))(secret),
    "two hosts": _lines("Host: {}", "Authorization: Bearer {}"),
    "two lengths": _lines("Authorization: Bearer {}", "Content-Length: 1", "Content-Length: 2"),
    "a length": _lines("Content-Length: {}"),
    "a coding": _lines("Transfer-Encoding: {}", "auth_token: {}"),
    "two framings": _lines("Transfer-Encoding: chunked", "Content-Length: 4", "auth_token: {}"),
    "bytes": lambda secret: b"\x16\x03\x01" + secret.encode() + b"\r\n\r\n",
    "a chunk's size": _chunks("{}\r\nab\r\n0\r\n\r\n"),
    "a chunk's end": _chunks("2\r\nab{}\r\n0\r\n\r\n"),
    "an endless size": _chunks("ffffffffffffffffffff;{}\r\n"),
}
"""What cannot be read as one request."""

REFUSED: dict[str, Hostile] = {
    "a path": lambda secret: head("GET", f"{P}/{secret}", token=secret),
    "an ambiguous path": lambda secret: head("GET", f"{P}/entity/..%2f{secret}", token=secret),
    "another face": lambda secret: head("GET", f"/api/v1/{secret}", token=secret),
    "nowhere": lambda secret: head("GET", f"/{secret}?{secret}", token=secret),
    "a query": lambda secret: head("GET", f"{JOB}?access_token={secret}"),
    "a cookie": _lines("Cookie: session={}"),
    "another header": _lines("X-Access-Token: {}"),
    "for a proxy": _lines("Proxy-Authorization: Bearer {}"),
    "another scheme": _lines("Authorization: Token {}"),
    "a broken token": _lines("Authorization: Bearer {}x"),
    "half a token": _lines("Authorization: Bearer {}.{}"),
    "two tokens": _lines("Authorization: Bearer {}", "auth_token: {}x"),
    "two fields": _lines("Authorization: Bearer {}", "Authorization: Bearer {}"),
    "a password": lambda secret: head(
        "POST", f"{P}/authentication/login", f"Authorization: Basic {_basic(secret)}"
    ),
    "a password elsewhere": lambda secret: head(
        "GET", JOB, f"Authorization: Basic {_basic(secret)}"
    ),
    "a team": lambda secret: head("GET", JOB, f"OL-Team: {secret}", token=secret),
    # What has the form of an id is one, and is logged: whoever makes a secret his id tells it.
    "a request's id": lambda secret: head("GET", JOB, f"X-Request-Id: is {secret}", token=secret),
    "a trace": lambda secret: head("GET", JOB, f"traceparent: 00-{secret}-01", token=secret),
    "an expectation": lambda secret: head("GET", JOB, f"Expect: {secret}", token=secret),
    "an origin": lambda secret: head("GET", JOB, f"Origin: http://{secret}", token=secret),
    "an agent": lambda secret: head("GET", JOB, f"User-Agent: {secret}", token=secret),
    "a proxied address": lambda secret: head(
        "GET", JOB, f"X-Forwarded-For: {secret}", token=secret
    ),
    "a type": lambda secret: _body(secret, "PUT", JOB, "{}", f"Content-Type: {secret}"),
    "a coding": lambda secret: _body(secret, "PUT", JOB, "{}", f"Content-Encoding: {secret}"),
    "a broken body": lambda secret: _body(secret, "PUT", JOB, f'{{"id": "{secret}'),
    "ids in a body": lambda secret: _body(
        secret, "PUT", f"{P}/entity/jobs/properties", f'[{{"id": "{secret}"}}]'
    ),
    "a key": lambda secret: head(
        "POST",
        f"{P}/workflow/datamining/{secret[:40]}/1",
        f"Idempotency-Key: {secret}",
        "Content-Length: 0",
        token=secret,
    ),
    "a file's name": lambda secret: _body(secret, "POST", f"{UPLOAD}{secret}%zz", "[]"),
    "a preference": lambda secret: head(
        "GET", "/api/v1/me", f"Prefer: wait={secret}", token=secret
    ),
    "what was last seen": lambda secret: head(
        "GET", "/api/v1/operations/1/events", f"Last-Event-ID: {secret}", token=secret
    ),
    "a good request": lambda secret: head("GET", f"{P}/entity/version?{secret}", token=secret),
}
"""What is refused for another reason, or let through."""


def _basic(secret: str) -> str:
    return base64.b64encode(f"robot:{secret}".encode()).decode()


def _body(secret: str, method: str, target: str, text: str, *lines: str) -> bytes:
    length = f"Content-Length: {len(text)}"
    return head(method, target, length, *lines, token=secret) + text.encode()

"""Requests, plain and hostile, each as the pieces in which it is sent; ``TOKEN`` stands for one."""

import random
from collections.abc import Iterator

Pieces = list[bytes]

REST = "/rest/serverengine"
_PROPERTIES = f"{REST}/entity/jobs/1/properties"
_PATHS = (
    _PROPERTIES,
    f"{REST}/entity/jobs/2/properties",
    f"{REST}/entity/jobs/3/metadata",
    f"{REST}/entity/jobs/4/properties",
    f"{REST}/authentication/version",
    f"{REST}/filestore/file/7",
    f"{REST}/filestore/file/8",
    f"{REST}/filestore/file/9",
    f"{REST}/entity/jobs/1%2fproperties",
    f"{REST}/entity/jobs/1/%70roperties",
    f"{REST}/entity/jobs/../jobs/1/properties",
    f"{REST}/entity/jobs/1/properties/",
    f"{REST}/nowhere",
    f"{REST}/entity/jobs/1/properties?a=b&c",
    "/api/v1/me",
    "/api/v1/jobs/1/properties",
    "/api/v1/operations/op-1",
    "/openapi.json",
    "/",
    "/nothing",
    "http://elsewhere.test/rest/serverengine/authentication/version",
    "*",
    "//rest",
)
_LINES = (
    "X-Request-Id: mine-1",
    "X-Request-Id: no good",
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "traceparent: ff-nonsense",
    "If-None-Match: *",
    'If-None-Match: "other"',
    "Cache-Control: no-cache",
    "Pragma: no-cache",
    "Origin: http://portal.test",
    "Origin: http://evil.test",
    "OL-Team: operators",
    "OL-Team: nobody",
    "Accept-Encoding: gzip, br",
    "Accept: */*",
    "X-Forwarded-For: 10.0.0.1",
    "Connection: close",
    "Connection: keep-alive",
    "Connection: auth_token",
    "Expect: 100-continue",
    "Upgrade: h2c",
    "Upgrade: websocket",
    "Content-Length: 0",
    "Transfer-Encoding: chunked",
    "Content-Length: 5",
    "Cookie: a=b",
    "auth_token: TOKEN",
    "auth_token: another",
    "X-Long: " + "a" * 4000,
    "User-Agent: somebody \xe9",
)
_CREDENTIALS = ("Authorization: Bearer TOKEN", "auth_token: TOKEN", "")


def _head(method: str, target: str, *lines: str, version: str = "1.1") -> bytes:
    text = [f"{method} {target} HTTP/{version}", "Host: gateway.test", *filter(None, lines)]
    return "\r\n".join([*text, "", ""]).encode("latin-1")


_AUTHORIZED = "Authorization: Bearer TOKEN"
_GET = _head("GET", _PROPERTIES, _AUTHORIZED)
_BODY = b'{"id": 1, "properties": [{"name": "a", "value": "2"}]}'


def _with_body(method: str, target: str, body: bytes, *lines: str) -> bytes:
    return _head(method, target, _AUTHORIZED, f"Content-Length: {len(body)}", *lines) + body


_CHUNKED = "Transfer-Encoding: chunked"
_START = f"{REST}/workflow/jobcreation/1"
_IDS = b'{"identifiers": [5]}'

PLAIN: list[Pieces] = [
    [_GET, _GET, _GET],
    [_head("GET", _PROPERTIES), _head("GET", _PROPERTIES)],
    [_head("GET", _PROPERTIES, "Authorization: Bearer a.b.c")] * 2,
    [_head("GET", _PROPERTIES, "Authorization: Bearer FORGED")] * 3,
    [_head("GET", _PROPERTIES, "Authorization: Basic YTpi")] * 2,
    [_head("HEAD", _PROPERTIES, _AUTHORIZED)] * 2,
    [_head("GET", f"{REST}/authentication/version", _AUTHORIZED)] * 4,
    [_head("GET", f"{REST}/authentication/version?a=%25&b", _AUTHORIZED, "Accept: */*")] * 4,
    [_head("GET", f"{REST}/filestore/file/7", _AUTHORIZED)] * 3,
    [_head("GET", f"{REST}/filestore/file/8", _AUTHORIZED)] * 3,
    [_GET, _with_body("PUT", _PROPERTIES, _BODY, "Content-Type: application/json"), _GET, _GET],
    [_with_body("POST", _START, _IDS)],
    [_with_body("POST", _START, _IDS, "Idempotency-Key: k")] * 2,
    [_head("POST", f"{REST}/workflow/jobcreation/getProgress/op-1", _AUTHORIZED)] * 2,
    [_with_body("POST", f"{REST}/filestore/DataFile?filename=a", b"x" * 1000)],
    [_with_body("POST", f"{REST}/filestore/DataFile?filename=a", b"x" * 100_000)],
    [
        _head(
            "OPTIONS",
            _PROPERTIES,
            "Origin: http://portal.test",
            "Access-Control-Request-Method: GET",
        )
    ],
    [_head("DELETE", _PROPERTIES, _AUTHORIZED)],
    [_head("get", _PROPERTIES, _AUTHORIZED)],
    [_head("TRACE", _PROPERTIES, _AUTHORIZED)],
    [_head("CONNECT", "gateway.test:80", _AUTHORIZED)],
]
HOSTILE: list[Pieces] = [
    [_GET + _GET],  # two at once
    [_GET + _GET[:40], _GET[40:]],
    [_GET[:25], _GET[25:]],
    [_GET[:-1], _GET[-1:], _GET],
    [_with_body("PUT", _PROPERTIES, _BODY)[:-9], _BODY[-9:], _GET],
    [_with_body("PUT", _PROPERTIES, _BODY) + _GET],
    [_with_body("PUT", _PROPERTIES, b""), _GET],
    [_GET.replace(b"\r\n", b"\n")],
    [b"\r\n" + _GET],
    [_GET + b"\r\n", _GET],
    [_GET.replace(b"Host", b"Host ")],
    [_GET.replace(b"Host: gateway.test\r\n", b"")],
    [_GET.replace(b"Host: gateway.test", b"Host: a\r\nHost: b")],
    [_GET.replace(b"gateway.test", b"gateway\x00test")],
    [_GET.replace(b"gateway.test", b"gateway\r\n folded")],
    [_GET.replace(b"HTTP/1.1", b"HTTP/1.0")],
    [_GET.replace(b"HTTP/1.1", b"HTTP/2.0")],
    [_GET.replace(b" HTTP/1.1", b"")],
    [_head("GET", _PROPERTIES, _AUTHORIZED, _AUTHORIZED)],
    [_head("GET", _PROPERTIES, _AUTHORIZED, "X-Request-Id: a", "X-Request-Id: b")],
    [_head("POST", _START, _AUTHORIZED, "Content-Length: 3", "Content-Length: 4") + b"abcd"],
    [_head("POST", _START, _AUTHORIZED, "Content-Length: 3", _CHUNKED) + b"0\r\n\r\n"],
    [_head("POST", _START, _AUTHORIZED, "Content-Length: +3") + b"abc"],
    [_head("POST", _START, f"Content-Length: {len(_GET):020}"), _GET, _GET],
    [_head("POST", _START, "Content-Length: 9999999999999999999"), _GET],
    [_head("POST", _START, _AUTHORIZED, _CHUNKED), b"2\r\n{}\r\nzz\r\n", _GET],
    [_head("GET", _PROPERTIES, _AUTHORIZED, _CHUNKED), b"2\n{}\r\n0\r\n\r\n", _GET],
    [_head("HEAD", _PROPERTIES, _AUTHORIZED), _GET, _head("HEAD", _PROPERTIES, _AUTHORIZED)],
    [_head("POST", _START, _AUTHORIZED, _CHUNKED), b"2\r\n{}\r\n0\r\n\r\n", _GET],
    [_head("GET", _PROPERTIES, _AUTHORIZED, *(f"X-{n}: v" for n in range(250)))],
    [_head("GET", _PROPERTIES, _AUTHORIZED, "X: " + "a" * 40_000)],
    [_head("GET", REST + "/a" * 9000, _AUTHORIZED)],
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40],
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
]  # fmt: skip


def mixed(count: int, seed: int) -> Iterator[Pieces]:
    """Methods, targets and header lines put together at random, each sent three times: what is
    learnt from the first is said or done again."""
    chance = random.Random(seed)
    for _ in range(count):
        method = chance.choice(("GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"))
        lines = chance.sample(_LINES, chance.choice((0, 0, 1, 1, 2, 3)))
        request = _head(method, chance.choice(_PATHS), chance.choice(_CREDENTIALS), *lines)
        if "Content-Length: 5" in lines:
            request += b"[{}] "
        if "Transfer-Encoding: chunked" in lines:
            request += b"0\r\n\r\n"
        yield [request] * 3

"""Tokens whose form is wrong: all refused as malformed, at once, and nobody is asked."""

import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest

DEEP = 4000


def good(forge: Any) -> str:
    return str(forge.token())


def parts(forge: Any) -> list[str]:
    return good(forge).split(".")


def forge_header(forge: Any, **parameters: Any) -> str:
    return str(forge.token(forge.header(**parameters)).split(".")[0])


def payload_with(forge: Any, text: str) -> bytes:
    """The good claims as JSON with ``text`` put in front of them."""
    return ("{" + text + "," + json.dumps(forge.claims())[1:]).encode()


Case = Callable[[Any], str]

OUTER_FORM: dict[str, Case] = {
    "one part": lambda forge: parts(forge)[0],
    "two parts": lambda forge: ".".join(parts(forge)[:2]),
    "four parts": lambda forge: good(forge) + ".x",
    "extra empty part": lambda forge: good(forge) + ".",
    "five parts": lambda forge: good(forge) + ".a.b",
    "8000 dots": lambda forge: "." * 8000,
    "three empty parts": lambda forge: "..",
    "no header": lambda forge: "." + ".".join(parts(forge)[1:]),
    "no payload": lambda forge: "{0}..{2}".format(*parts(forge)),
    "no signature": lambda forge: "{}.{}.".format(*parts(forge)[:2]),
    "padding": lambda forge: good(forge) + "==",
    "padded header": lambda forge: "{}=.{}.{}".format(*parts(forge)),
    "standard alphabet": lambda forge: "{}.{}.+/+/".format(*parts(forge)[:2]),
    "space inside": lambda forge: good(forge).replace(".", " .", 1),
    "newline at the end": lambda forge: good(forge) + "\n",
    "percent-encoded dot": lambda forge: good(forge).replace(".", "%2e"),
    "not ASCII": lambda forge: good(forge) + "é",
    "fullwidth": lambda forge: "\uff45" + good(forge)[1:],
    "lone surrogate": lambda forge: good(forge) + "\udcff",
    "NUL": lambda forge: good(forge) + "\0",
    "impossible length": lambda forge: "a." + ".".join(parts(forge)[1:]),
    "unused bits set": lambda forge: "{}.{}.AB".format(*parts(forge)[:2]),
    "junk": lambda forge: "not a token at all",
    "flattened JSON": lambda forge: json.dumps(
        dict(zip(("protected", "payload", "signature"), parts(forge), strict=True))
    ),
    "too long, signed": lambda forge: forge.token(payload=forge.claims(x="x" * 48_000)),
    "300 KB": lambda forge: "a" * 300_000,
    "general JSON": lambda forge: json.dumps(
        {
            "payload": parts(forge)[1],
            "signatures": [{"protected": parts(forge)[0], "signature": parts(forge)[2]}],
        }
    ),
    "payload not encoded": lambda forge: "{}.{}.{}".format(
        forge_header(forge, b64=False, crit=["b64"]), json.dumps(forge.claims()), parts(forge)[2]
    ),
    "payload detached": lambda forge: "{}..{}".format(
        forge_header(forge, b64=False, crit=["b64"]), parts(forge)[2]
    ),
    "encrypted, RSA-OAEP": lambda forge: (
        forge.token({"alg": "RSA-OAEP", "enc": "A256GCM"}) + ".a.b"
    ),
    "encrypted, two milliard rounds": lambda forge: (
        forge.token(
            {"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2**31 - 1, "p2s": "AAAA"}
        )
        + ".a.b"
    ),
    "encrypted, a bomb": lambda forge: (
        forge.token({"alg": "dir", "enc": "A128GCM", "zip": "DEF"}, zlib.compress(bytes(5_000_000)))
        + ".a.b"
    ),
    "encrypted, dir": lambda forge: forge.token({"alg": "dir", "enc": "A128GCM"}) + ".a.b",
}

CONTENT: dict[str, Case] = {
    "header a list": lambda forge: forge.token(b"[]"),
    "header a text": lambda forge: forge.token(b'"alg"'),
    "header null": lambda forge: forge.token(b"null"),
    "header with a BOM": lambda forge: forge.token(
        b"\xef\xbb\xbf" + json.dumps(forge.header()).encode()
    ),
    "header in UTF-16": lambda forge: forge.token(json.dumps(forge.header()).encode("utf-16")),
    "header with a NUL": lambda forge: forge.token(json.dumps(forge.header()).encode() + b"\0"),
    "header truncated": lambda forge: forge.token(b'{"alg":"RS256"'),
    "payload a list": lambda forge: forge.token(payload=b"[]"),
    "payload a number": lambda forge: forge.token(payload=b"1"),
    "payload a nested JWT": lambda forge: forge.token(payload=good(forge).encode()),
    "payload nested JWT as JSON text": lambda forge: forge.token(
        payload=json.dumps(good(forge)).encode()
    ),
    "trailing JSON": lambda forge: forge.token(payload=json.dumps(forge.claims()).encode() + b"{}"),
    "trailing NUL": lambda forge: forge.token(payload=json.dumps(forge.claims()).encode() + b"\0"),
    "NUL in a text": lambda forge: forge.token(payload=payload_with(forge, '"x":"\0"')),
    "BOM": lambda forge: forge.token(payload=b"\xef\xbb\xbf" + json.dumps(forge.claims()).encode()),
    "UTF-16": lambda forge: forge.token(payload=json.dumps(forge.claims()).encode("utf-16")),
    "UTF-16 without BOM": lambda forge: forge.token(
        payload=json.dumps(forge.claims()).encode("utf-16-le")
    ),
    "UTF-32 header": lambda forge: forge.token(json.dumps(forge.header()).encode("utf-32")),
    "invalid UTF-8": lambda forge: forge.token(
        payload=payload_with(forge, '"x":"y"').replace(b"y", b"\xff", 1)
    ),
    "overlong UTF-8": lambda forge: forge.token(
        payload=payload_with(forge, '"x":"y"').replace(b"y", b"\xc0\xaf", 1)
    ),
    "escaped lone surrogate": lambda forge: forge.token(
        payload=payload_with(forge, '"x":"\\ud800"')
    ),
    "surrogate as a name": lambda forge: forge.token(payload=payload_with(forge, '"\\udfff":1')),
    "deep lists": lambda forge: forge.token(
        payload=payload_with(forge, '"x":' + "[" * DEEP + "]" * DEEP)
    ),
    "deep objects": lambda forge: forge.token(
        payload=payload_with(forge, '"x":' + '{"a":' * 1000 + "1" + "}" * 1000)
    ),
    "fifty deep": lambda forge: forge.token(
        payload=payload_with(forge, '"x":' + "[" * 50 + "]" * 50)
    ),
    "deep header": lambda forge: forge.token(b'{"alg":' + b"[" * DEEP + b"]" * DEEP + b"}"),
    "5000 digits": lambda forge: forge.token(payload=payload_with(forge, '"x":' + "9" * 5000)),
    "NaN": lambda forge: forge.token(payload=payload_with(forge, '"x":NaN')),
    "Infinity": lambda forge: forge.token(payload=payload_with(forge, '"x":-Infinity')),
    "1e999": lambda forge: forge.token(payload=payload_with(forge, '"x":1e999')),
    "duplicate alg": lambda forge: forge.token(
        b'{"alg":"none",' + json.dumps(forge.header()).encode()[1:]
    ),
    "duplicate exp": lambda forge: forge.token(payload=payload_with(forge, '"exp":1')),
    "duplicate groups": lambda forge: forge.token(
        payload=payload_with(forge, '"groups":["a"],"groups":["b"]')
    ),
    "duplicate inside": lambda forge: forge.token(
        payload=payload_with(forge, '"realm_access":{"roles":[],"roles":["a"]}')
    ),
}


@pytest.mark.parametrize("case", OUTER_FORM.values(), ids=OUTER_FORM.keys())
async def test_wrong_outer_form_is_malformed(case: Case, forge: Any, side: Any) -> None:
    assert await side.refusal(case(forge)) == "token_malformed"
    assert not forge.issuer.requests


@pytest.mark.parametrize("case", CONTENT.values(), ids=CONTENT.keys())
async def test_wrong_content_is_malformed_although_signed(
    case: Case, forge: Any, side: Any
) -> None:
    assert await side.refusal(case(forge)) == "token_malformed"
    assert not forge.issuer.requests


async def test_empty_token_is_missing(side: Any) -> None:
    assert await side.refusal("") == "token_missing"


async def test_the_form_that_the_others_depart_from_is_accepted(forge: Any, side: Any) -> None:
    caller = await side.authenticator.identify(good(forge))
    assert (caller.issuer, caller.subject) == ("demo", "ann")
    assert caller.expires == forge.clock() + 600


async def test_large_but_allowed_token_is_accepted(forge: Any, side: Any) -> None:
    groups = [f"group-{number}" for number in range(600)]
    caller = await side.authenticator.identify(forge.token(payload=forge.claims(groups=groups)))
    assert caller.claims["groups"] == groups

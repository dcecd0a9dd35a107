"""Every parser against arbitrary and against almost right input: refusals, and never for long."""

from contextlib import suppress
from time import process_time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.parsers import PARSERS

SEEDS: dict[str, list[bytes]] = {
    "token": [b"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.AAAA", b"..", b"e30.e30."],
    "path": [b"/rest/serverengine/entity/jobs/1/properties?id=2", b"/api/v1/jobs/%31", b"/%2e%2e"],
    "link": [b'<http://OLSERVER:9340/rest/serverengine/x>; rel="a,b"', b"<../y>;rel=z, <//h>"],
    "config": [b"version: 1\nteams: {a: &x {b: *x}}", b"issuers:\n  a: {jwks: {url: 'http://h'}}"],
    "credentials": [b"Bearer a.b.c\nd", b"Basic YTpi", b"bearer\t"],
    "values": [b'[{"name": "a", "value": "1"}]', b'[{"name": 1}]', b"[[]]"],
    "values document": [b'{"a": "b"}', b'{"a": null, "a": "c"}'],
    "patch": [b'{"a": null}', b'{"a": {"b": "c"}}'],
    "bodies": [b'{"identifiers": [1, "2"]}', b'[{"id": 1e400}]', b'{"id": "\\ud800"}'],
    "prefer": [b'wait=10, respond-async; a="b,c"', b'"', b'wait="'],
    "traceparent": [b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
    "forwarded": [b"10.0.0.2, 192.0.2.1", b"[::1]:80, fe80::1%eth0", b"::ffff:10.0.0.1"],
    "progress": [b"100", b"done", b"\xb2", b"000"],
    "caching": [b'max-age=5, no-cache="a,b"', b'W/"a", "b"', b'"'],
    "disposition": [b'attachment; filename="a\\"b"; filename*=UTF-8\'\'%e2%82'],
    "keys": [b'{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}', b'{"keys": 1}'],
}
_ANYTHING = [b"\x00", b"\r\n", b"\xff\xfe", b"[" * 5000, b"{" * 5000, b"9" * 5000, b"%" * 5000]
LONGEST_SECONDS = 0.5
FUZZ = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def judge(name: str, data: bytes) -> None:
    longest = 10 * LONGEST_SECONDS if name == "config" else LONGEST_SECONDS
    # What a virtual machine stands still, or a garbage collection takes, counts as the process's
    # time, too; what a parser takes by itself it takes every time.
    is_quick = any(_seconds(name, data) < longest for _ in range(5))
    assert is_quick, f"{name} took too long for {data[:80]!r}"


def _seconds(name: str, data: bytes) -> float:
    parser = PARSERS[name]
    began = process_time()
    with suppress(*parser.refusals):
        parser.parse(data)
    return process_time() - began


@pytest.mark.parametrize("name", PARSERS)
@FUZZ
@given(data=st.binary(max_size=300))
def test_anything_at_all(name: str, data: bytes) -> None:
    judge(name, data)


@pytest.mark.parametrize("name", PARSERS)
@FUZZ
@given(data=st.data())
def test_what_is_almost_right(name: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(SEEDS.get(name, [b"a-plain_value"]) + _ANYTHING))
    start = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(start, min(len(seed), start + 20)))
    piece = data.draw(st.sampled_from([seed, *_ANYTHING]) | st.binary(max_size=20))
    judge(name, seed[:start] + piece + seed[end:])


# A configuration is an operator's, and its parser the slowest by far.
@pytest.mark.parametrize("name", [name for name in PARSERS if name != "config"])
@pytest.mark.parametrize(
    "unit",
    [b",", b'"', b'a"",', b"<", b"<a>;", b" ", b"\\", b"%2e", b"../", b"&", b"[", b"a."],
)
def test_32_kilobytes_of_one_thing_take_no_longer(name: str, unit: bytes) -> None:
    judge(name, unit * (32 * 1024 // len(unit)))

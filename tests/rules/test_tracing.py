"""W3C Trace Context: what is valid, how a trace goes on and how one begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rules.tracing import TraceParent, child, new, parse

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("value", "flags"),
    [
        (f"00-{TRACE}-{SPAN}-00", 0),
        (f"00-{TRACE}-{SPAN}-01", 1),
        (f"00-{TRACE}-{SPAN}-03", 3),
        (f"00-{TRACE}-{SPAN}-ff", 3),
        (f"cc-{TRACE}-{SPAN}-01", 1),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-brings", 1),
    ],
)
def test_valid_values(value: str, flags: int) -> None:
    assert parse(value) == TraceParent(TRACE, SPAN, flags)


@pytest.mark.parametrize(
    "value",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{TRACE}-{SPAN}-01-more",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-1x",
        f"cc-{TRACE}-{SPAN}-01-\r\nX: y",
        f"cc-{TRACE}-{SPAN}-01-{'x' * 9000}",
    ],
)
def test_invalid_values(value: str) -> None:
    assert parse(value) is None


def test_a_child_stays_in_the_trace() -> None:
    parent = parse(f"cc-{TRACE}-{SPAN}-01-more")
    continued = child(str(parent), bytes.fromhex("00f067aa0ba902b7"))
    assert continued == f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("parent", "span"),
    [
        ("junk", b"12345678"),
        (f"00-{TRACE}-{SPAN}-01", b"1234567"),
        (f"00-{TRACE}-{SPAN}-01", bytes(8)),
    ],
)
def test_a_child_of_nothing_is_a_mistake(parent: str, span: bytes) -> None:
    with pytest.raises(ValueError, match=r"traceparent|not all zero"):
        child(parent, span)


NOT_ZERO = st.binary(min_size=16, max_size=16).filter(any)


@given(NOT_ZERO, NOT_ZERO.map(lambda octets: octets[:8]).filter(any), st.booleans())
def test_a_new_trace_is_valid(trace: bytes, span: bytes, sampled: bool) -> None:
    parsed = parse(new(trace + span, sampled=sampled))
    assert parsed == TraceParent(trace.hex(), span.hex(), 3 if sampled else 2)


@given(st.text())
def test_parsing_never_fails(value: str) -> None:
    assert parse(value) is None

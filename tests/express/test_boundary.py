"""What aiohttp was given, counted: never a boundary where there is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.express.boundary import Boundary

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
PUT = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"


def _after(*pieces: bytes) -> bool:
    boundary = Boundary()
    for piece in pieces:
        boundary.pass_on(piece)
    return boundary.is_reached


@pytest.mark.parametrize(
    ("pieces", "reached"),
    [
        ((), True),
        ((GET,), True),
        ((GET, GET), True),
        ((GET[:9],), False),
        ((GET[:9], GET[9:]), True),
        ((PUT,), False),
        ((PUT, b"0123456789"), True),
        ((PUT + b"01234", b"56789"), True),
        ((PUT + b"0123456789" + GET,), False),  # it lost count: for good
        ((PUT + b"0123456789" + GET, GET), False),
        ((PUT, b"0123456789GET"), False),
        ((GET.replace(b"Host: x", b"Transfer-Encoding: chunked"), b"0\r\n\r\n"), False),
        ((GET.replace(b"Host: x", b"Content-Length: 1\r\nContent-Length: 1"), b"a"), False),
        ((GET.replace(b"Host: x", b"CONTENT-LENGTH:\t3 "), b"abc"), True),
        ((PUT.replace(b"10", b"10".zfill(18)), b"0123456789"), True),
        ((PUT.replace(b"10", b"10".zfill(19)),), False),  # aiohttp takes it, this counts it not
        ((PUT.replace(b"10", b"10".zfill(19)), b"0123456789"), False),
        ((PUT.replace(b"10", b"9223372036854775807"),), False),
        ((PUT.replace(b"10", b"ten"),), False),
        ((PUT.replace(b": 10", b":"),), False),
        ((GET.replace(b"Host: x", b"Expect: 100-continue"),), False),
        ((b"a" * 20_000, b"\r\n\r\n"), False),
    ],
)
def test_boundaries(pieces: tuple[bytes, ...], reached: bool) -> None:
    assert _after(*pieces) is reached


@given(st.lists(st.sampled_from([GET, PUT + b"0123456789"]), min_size=1, max_size=4), st.data())
def test_however_it_is_cut_a_boundary_is_the_end_of_a_request(
    requests: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(requests)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6).map(sorted))
    ends = {sum(map(len, requests[: n + 1])) for n in range(len(requests))} | {0}
    boundary, given_ = Boundary(), 0
    for cut in [*cuts, len(stream)]:
        if cut > given_:
            boundary.pass_on(stream[given_:cut])
            given_ = cut
        if boundary.is_reached:
            assert given_ in ends

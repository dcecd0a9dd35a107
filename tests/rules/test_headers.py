"""Header lines pass by list: no credential goes up, nothing of the upstream's comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.problems import (
    HeadersTooLarge,
    MalformedRequest,
    UnsupportedMediaType,
    UpstreamInvalidResponse,
)
from gateway.rules.headers import (
    content_disposition,
    duplicates,
    for_caller,
    for_upstream,
    plain_json,
    request_id,
    within,
)
from gateway.rules.links import Origins

PUBLIC = "https://print-api.example.com"
ORIGINS = Origins(PUBLIC, "http://127.0.0.1:9340", ["http://OLSERVER:9340"])
BASE = "/rest/serverengine/workflow/print/submit"


def raw(*lines: tuple[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("utf-8"), value.encode("utf-8")) for name, value in lines]


def seen(*lines: tuple[str, str]) -> list[tuple[str, str]]:
    return for_caller(raw(*lines), ORIGINS, BASE)


def test_what_goes_up_keeps_its_order_and_spelling() -> None:
    lines = [
        ("User-Agent", "vendor"),
        ("accept", "text/plain"),
        ("ACCEPT", "*/*"),
        ("Accept-Encoding", "gzip"),
        ("Accept-Language", "fr"),
        ("Content-Type", "application/json"),
        ("Content-Encoding", "gzip"),
        ("trace_id", "42"),
        ("X-Requested-With", "XMLHttpRequest"),
    ]
    assert for_upstream(raw(*lines)) == lines


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "auth_token", "auth-token", "Auth_Token", "AUTH-TOKEN", "authtoken"),
        *("Cookie", "Proxy-Authorization", "Proxy-Connection", "Proxy-Anything", "X-Access-Token"),
        *("Forwarded", "X-Forwarded-For", "X-Forwarded-User", "X_Forwarded_User", "X-Real-IP"),
        *("X-Forwarded-Uri", "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "Via"),
        *("Host", "Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade"),
        *("Expect", "Content-Length", "Range", "If-None-Match", "If-Match", "Cache-Control"),
        *("OL-Team", "Idempotency-Key", "Prefer", "Origin", "Referer", "Max-Forwards", "trace-id"),
        *("Accept ", " Accept", "Äccept", ""),
    ],
)
def test_nothing_else_goes_up(name: str) -> None:
    assert for_upstream(raw((name, "x"))) == []


def test_a_name_listed_in_connection_goes_no_further() -> None:
    lines = raw(("Accept", "a"), ("Connection", "close, ACCEPT"), ("User-Agent", "b"))
    assert for_upstream(lines) == [("User-Agent", "b")]
    lines = raw(("ETag", '"a"'), ("connection", "etag"), ("Connection", "x, Vary"), ("Vary", "b"))
    assert for_caller(lines, ORIGINS, BASE) == []


@pytest.mark.parametrize("octet", [b"\r", b"\n", b"\0"])
def test_line_breaks_are_refused_in_both_directions(octet: bytes) -> None:
    with pytest.raises(MalformedRequest):
        for_upstream([(b"Accept", b"a" + octet + b"b")])
    for name in (b"operationId", b"Link", b"Location", b"Content-Type", b"X-OL-New"):
        with pytest.raises(UpstreamInvalidResponse):
            for_caller([(name, b"a" + octet + b"Set-Cookie: b")], ORIGINS, BASE)


def test_what_comes_back_keeps_its_order_and_number_of_lines() -> None:
    lines = [
        ("operationId", "1281ef9d-7a74-4448-9adf-175a0166f32e"),
        ("Content-Type", "application/json"),
        ("Vary", "Accept"),
        ("vary", "Origin"),
        ("Content-Disposition", "attachment; filename=Promo-EN.OL-datamapper"),
        ("OL-Original-Filename", "Zürich.pdf"),
        ("X-Data-Set-ID", "1"),
        ("X-Result-Type", "Output-Streamed"),
        ("X-OL-Something-New", "a"),
        ("ETag", '"a"'),
        ("Retry-After", "5"),
        ("Allow", "GET"),
    ]
    assert seen(*lines) == lines


@pytest.mark.parametrize(
    "name",
    [
        *("Set-Cookie", "Set-Cookie2", "WWW-Authenticate", "Proxy-Authenticate", "auth_token"),
        *("Auth-Token", "AUTH_TOKEN", "Authorization", "Server", "Date", "Via", "X-Powered-By"),
        *("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Alt-Svc", "Refresh"),
        *("Strict-Transport-Security", "Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade"),
        *("Trailer", "Content-Length", "Token-Expires-In", "X-Forwarded-Host", "Content-Range"),
        *("X-OL-Bad Name", "OL-Ä", "OLX", "X-OLX", "Cache-Status", "Age", "X-Request-Id"),
    ],
)
def test_nothing_else_comes_back(name: str) -> None:
    assert seen((name, "x")) == []


def test_links_are_led_back_line_by_line() -> None:
    lines = seen(
        ("Link", "<http://127.0.0.1:9340/rest/serverengine/a/1>; rel=progress"),
        ("Content-Type", "text/plain"),
        ("LINK", "<getProgress/2>; rel=self, <http://olserver:9340/x>; rel=x"),
        ("Link", "<javascript:alert(1)>"),
        ("Location", "http://OLSERVER:9340/rest/serverengine/b"),
        ("Content-Location", "http://127.0.0.1:9340/elsewhere"),
    )
    assert lines == [
        ("Link", f"<{PUBLIC}/rest/serverengine/a/1>; rel=progress"),
        ("Content-Type", "text/plain"),
        ("LINK", f"<{PUBLIC}/rest/serverengine/workflow/print/getProgress/2>; rel=self"),
        ("Location", f"{PUBLIC}/rest/serverengine/b"),
    ]


@pytest.mark.parametrize(
    "value", ["at http://127.0.0.1:9340/x", "OlServer:9340", "olserver%3A9340"]
)
def test_other_lines_that_show_the_upstream_are_left_out(value: str) -> None:
    assert seen(("Warning", value), ("X-OL-Node", value), ("ETag", '"a"')) == [("ETag", '"a"')]


def test_latin_1_bytes_of_a_java_server_are_kept() -> None:
    lines = for_caller([(b"OL-Original-Filename", b"Z\xfcrich.pdf")], ORIGINS, BASE)
    assert lines == [("OL-Original-Filename", "Zürich.pdf")]
    lines = for_caller(
        [(b"Content-Disposition", b'attachment; filename="Z\xfcrich.pdf"')], ORIGINS, BASE
    )
    assert lines == [
        (
            "Content-Disposition",
            "attachment; filename=\"Zurich.pdf\"; filename*=UTF-8''Z%C3%BCrich.pdf",
        )
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("attachment", "attachment"),
        ('attachment; filename="a \\"b\\".pdf"', 'attachment; filename="a \\"b\\".pdf"'),
        ("attachment;filename=é.pdf", "attachment;filename=e.pdf; filename*=UTF-8''%C3%A9.pdf"),
        (
            'inline; FileName="é \\"b\\"; 帳.pdf"; size=3',
            'inline; FileName="e \\"b\\"; _.pdf"; size=3; '
            "filename*=UTF-8''%C3%A9%20%22b%22%3B%20%E5%B8%B3.pdf",
        ),
        (
            "attachment; filename=é.pdf; filename*=UTF-8''%C3%A9.pdf",
            "attachment; filename=e.pdf; filename*=UTF-8''%C3%A9.pdf",
        ),
        ("attachment; note=é", "attachment; note=e"),
        (
            "attachment; filename=\uff02x\uff1by",
            "attachment; filename=_x_y; filename*=UTF-8''%EF%BC%82x%EF%BC%9By",
        ),
    ],
)
def test_content_disposition_is_safe(value: str, expected: str) -> None:
    assert content_disposition(value) == expected


@given(st.text(alphabet=st.characters(min_codepoint=32, exclude_categories=["Cs"])))
def test_content_disposition_comes_out_in_ascii(name: str) -> None:
    assert content_disposition(f'attachment; filename="{name}"').isascii()


@given(st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=12))))
def test_any_bytes_pass_as_encodable_text_or_not_at_all(lines: list[tuple[bytes, bytes]]) -> None:
    prefixed = [(b"x-ol-" + name, value) for name, value in lines]
    try:
        passed = for_caller(lines + prefixed, ORIGINS, BASE)
    except UpstreamInvalidResponse:
        return
    for name, value in passed:
        assert name.isascii()
        assert not set("\r\n\0") & set(value)
        value.encode("utf-8")


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "Content-Type", "content-length", "Idempotency-Key", "OL-Team"),
        *("X-Request-Id", "If-Match", "Last-Event-ID"),
    ],
)
def test_a_single_field_must_not_come_twice(name: str) -> None:
    duplicates(raw((name, "a"), ("Accept", "b"), ("Accept", "c")))
    with pytest.raises(MalformedRequest) as refusal:
        duplicates(raw((name, "a"), ("Accept", "b"), (name.upper(), "a")))
    assert refusal.value.parameter == name.lower()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Encoding", "identity"),
        ("Content-Encoding", "Identity"),
        ("Content-Type", ""),
        ("Content-Type", "application/json"),
        ("Content-Type", "application/json;charset=UTF-8"),
        ("Content-Type", "application/json ; Charset = utf8 ; v=1"),
        ("Content-Type", 'text/plain; charset="us-ascii"'),
    ],
)
def test_a_body_with_one_reading(name: str, value: str) -> None:
    plain_json(raw((name, value)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("Content-Encoding", coding) for coding in ("gzip", "identity, gzip", "x-gzip", "")),
        *(
            ("Content-Type", f"application/json; charset{rest}")
            for rest in (
                *("=Shift_JIS", "=utf-16", "=iso-8859-1", "=cp037", '="utf-7"', "=", ""),
                *("=utf-8; charset=gbk", "=gbk; charset=utf-8", "=utf-8 gbk", '="utf-8', "*=x"),
                *('="\\g\\b\\k"', '=utf-8"', "='utf-8'", "=utf-8-sig", "=\uff55tf-8"),
            )
        ),
    ],
)
def test_a_body_with_other_readings(name: str, value: str) -> None:
    with pytest.raises(UnsupportedMediaType) as refusal:
        plain_json(raw((name, value)))
    assert refusal.value.parameter == name


@pytest.mark.parametrize("value", ["a", "A.b_c-9", "x" * 128])
def test_a_request_id_that_may_pass(value: str) -> None:
    assert request_id(value) == value


@pytest.mark.parametrize("value", ["", "x" * 129, "a b", "a\n", "é", "a/b", "{}", "a\r\nX: y"])
def test_a_request_id_that_may_not(value: str) -> None:
    assert request_id(value) is None


def test_the_size_of_a_header_counts_whole_lines() -> None:
    lines = raw(("Host", "a"), ("Accept", "bc"))
    within(lines, 21)
    with pytest.raises(HeadersTooLarge):
        within(lines, 20)

"""Paths with two readings are refused; those accepted mean one resource however they are read."""

import posixpath
import unicodedata
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from gateway.problems import AmbiguousPath, MalformedRequest
from gateway.rules.paths import canonical, decode, origin_form, query_values, split

ACCEPTED = [
    "/",
    "/rest/serverengine/authentication",
    "/rest/serverengine/authentication/",
    "/rest/serverengine/workflow/print/getResult/1281ef9d-7a74-4448-9adf-175a0166f32e",
    "/rest/serverengine/filestore/file/Promo-EN-1000.csv",
    "/rest/serverengine/filestore/file/Promo%20EN.OL-template",
    "/rest/serverengine/filestore/file/Promo+EN.OL-template",
    "/rest/serverengine/filestore/file/C++",
    "/rest/serverengine/filestore/file/a%2Bb%40c",
    "/rest/serverengine/filestore/file/Z%C3%BCrich.pdf",
    "/rest/serverengine/filestore/file/Zu%CC%88rich.pdf",
    "/rest/serverengine/filestore/file/%e5%b8%b3%e7%a5%a8.pdf",
    "/rest/serverengine/filestore/file/Report%5B1%5D.pdf",
    "/.well-known/oauth-protected-resource",
    "/a..b/c.d",
]
REFUSED = [
    "",
    "rest",
    "*",
    "@host/rest",
    "host:443",
    "http://host/rest",
    "/a/../b",
    "/a/./b",
    "/..",
    "/.",
    "/a/..",
    "/a/.../b",
    "/a/%2e%2e/b",
    "/a/.%2E/b",
    "/api../x",
    "/api%2e/x",
    "/a/..%2fb",
    "/a%2Fb",
    "/a%5cb",
    "/a\\b",
    "/a/..\\b",
    "/a/..;/b",
    "/a/..;a=b/c",
    "/a;jsessionid=1",
    "/a%3bx",
    "//a",
    "/a//b",
    "/a#b",
    "/a%23b",
    "/a?b",
    "/a%3fb",
    "/%252e%252e/a",
    "/a%25b",
    "/%u0061",
    "/a%",
    "/a%2",
    "/a%zz",
    "/%70roperties",
    "/%7E",
    "/%31",
    "/%5f%2d",
    "/a%00",
    "/a%0d%0ab",
    "/a%09",
    "/a%7f",
    "/a b",
    "/a\tb",
    "/a\r\nb",
    "/a\x00",
    "/a\x7f",
    "/Zürich",
    "/wor\u212aflow",
    "/re\u017ft",
    "/%4\uff11",
    "/a.",
    "/a./b",
    "/a%20",
    "/%20a",
    "/%20",
    "/..+",
    "/.+./a",
    "/+",
    "/a[1]",
    "/a|b",
    '/a"b',
    "/%c0%af",
    "/%c0%ae%c0%ae/",
    "/%ed%a0%80",
    "/%fc",
    "/%F5%80%80%80",
    "/" + quote("\uff0f"),
    "/" + quote("\uff0e\uff0e"),
    "/a/" + quote("\u2024\u2024"),
    "/" + quote("\u2025") + "/b",
    "/" + quote("a\u2026"),
    "/" + quote("\u2100"),
    "/" + quote("\uff3c"),
    "/" + quote("\uff1bx"),
    "/" + quote("\uff05\uff12\uff46"),
    "/" + quote("é\u2047"),
    "/" + quote("é\uff03"),
    "/" + quote("\uff11\uff12"),
    "/" + quote("٣"),
    "/" + quote("-٣"),
    "/" + quote("\uff50\uff52\uff4f\uff50\uff45\uff52\uff54\uff49\uff45\uff53"),
    "/" + quote("12²"),
    "/" + quote("é\u00a0"),
    "/" + quote("..\u200b"),
    "/" + quote("é\u202e"),
    "/" + quote("é\u2028"),
    "/" + quote("é\u0085"),
    "/" + "." * 20_000,
    "/" + "+" * 20_000,
]


@pytest.mark.parametrize("path", ACCEPTED)
def test_a_path_with_one_reading_is_accepted(path: str) -> None:
    canonical(path)


@pytest.mark.parametrize("path", REFUSED)
def test_a_path_with_two_readings_is_refused(path: str) -> None:
    with pytest.raises(AmbiguousPath) as refusal:
        canonical(path)
    assert refusal.value.detail != "The path can be read in more than one way."


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("rest", "begin with a slash"),
        ("/ü", "outside ASCII"),
        ("/a b", "space or a control"),
        ("/a;b", "semicolon"),
        ("/a//b", "empty segment"),
        ("/a[1]", "must be percent-encoded"),
        ("/a%zz", "two hexadecimal digits"),
        ("/a%2Fb", "percent-encoded delimiter"),
        ("/%70", "percent-encodes a letter"),
        ("/%fc", "not UTF-8"),
        ("/a/..", "ends in a dot"),
        ("/.+", "dots and spaces only"),
        ("/%E2%80%8B", "invisible"),
        ("/%EF%BC%8F", "as a delimiter"),
        ("/%EF%BC%91", "as ASCII ones"),
    ],
)
def test_a_refusal_says_what_is_wrong(path: str, says: str) -> None:
    with pytest.raises(AmbiguousPath, match=says):
        canonical(path)


def test_a_refusal_does_not_echo_the_path() -> None:
    with pytest.raises(AmbiguousPath) as refusal:
        canonical("/secret-name/../x")
    assert "secret-name" not in str(refusal.value)


PIECES = st.one_of(
    st.sampled_from(["/", ".", "..", "%2e", "%2F", "%5c", ";", "\\", "+", "%25", "%20", "//", "%"]),
    st.text(alphabet="abcXYZ019-_~!$&'()*,=:@.+/%", max_size=5),
    st.text(max_size=3).map(lambda text: quote(text, safe="", errors="replace")),
    st.sampled_from("\uff0e\uff0f\u2025\u2100\uff1b\uff05\uff11²ﬁ٣ü帳\u200b\u00a0").map(quote),
)
PATHS = st.lists(PIECES, max_size=8).map(lambda pieces: "/" + "".join(pieces))


def readings(path: str) -> set[tuple[str, ...]]:
    """What lenient servers make of a path: decoded up to three times, folded and normalised."""
    found = set()
    for decodings in range(4):
        text = path
        for _ in range(decodings):
            text = unquote(text)
        text = unicodedata.normalize("NFKC", text).replace("\\", "/")
        text = posixpath.normpath("/".join(part.split(";")[0] for part in text.split("/")))
        segments = [unquote(segment).rstrip(". ") for segment in text.split("/")]
        found.add(tuple(unicodedata.normalize("NFKC", segment) for segment in segments))
    return found


@given(PATHS)
def test_every_lenient_reading_of_an_accepted_path_is_the_same_resource(path: str) -> None:
    try:
        canonical(path)
    except AmbiguousPath:
        return
    segments = [decode(segment) for segment in split(path)]
    expected = tuple(unicodedata.normalize("NFKC", text) for text in ["", *segments])
    if path == "/":
        assert readings(path) == {("", "")}
        return
    assert readings(path) == {expected[:-1] if path.endswith("/") else expected}


@given(st.text() | st.text().map("/".__add__))
def test_any_text_is_accepted_in_ascii_or_refused(path: str) -> None:
    try:
        canonical(path)
    except AmbiguousPath:
        return
    assert path.isascii()
    assert path.startswith("/")


@given(PATHS)
def test_an_accepted_path_is_sent_as_it_came(path: str) -> None:
    try:
        canonical(path)
    except AmbiguousPath:
        return
    sent = URL.build(scheme="http", host="upstream", port=9340, path=path, encoded=True)
    assert sent.raw_path == path
    assert URL(f"http://upstream:9340{path}", encoded=True).raw_path == path


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), max_size=20))
def test_split_loses_nothing(text: str) -> None:
    assert "/" + "/".join(split("/" + text)) == "/" + text


def test_decode_keeps_a_plus() -> None:
    assert decode("a+b%20c%C3%BC") == "a+b cü"


def test_decode_refuses_what_is_not_utf8() -> None:
    with pytest.raises(AmbiguousPath):
        decode("%fc")


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("", []),
        ("id=1", ["1"]),
        ("id=1&id=2&ID=3", ["1", "2"]),
        ("x=%zz&id=1", ["1"]),
        ("%69d=1", ["1"]),
        ("%zz=1", []),
        ("id", [""]),
        ("id=a+b%2Bc%26d=e", ["a b+c&d=e"]),
        ("id=Z%C3%BCrich", ["Zürich"]),
        ("id=Zürich", ["Zürich"]),
        ("id=1;id=2", ["1;id=2"]),
        ("grid=1&idx=2", []),
    ],
)
def test_values_of_a_query_parameter(query: str, values: list[str]) -> None:
    assert query_values(query, "id") == values


@pytest.mark.parametrize(
    "value", ["%", "%zz", "50%.csv", "%fc", "%c0%af", "%00", "%0a", "%C2%85", "\udcfc", "a\nb"]
)
def test_an_unsound_query_value_is_refused(value: str) -> None:
    with pytest.raises(MalformedRequest) as refusal:
        query_values(f"id={value}", "id")
    assert refusal.value.parameter == "id"


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"]))))
def test_query_values_reads_what_was_quoted(values: list[str]) -> None:
    query = "&".join(f"id={quote(value, safe='')}" for value in values)
    assert query_values(query, "id") == values


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/rest/x", ("/rest/x", "")),
        ("/rest/x?a=b%26c&d", ("/rest/x", "a=b%26c&d")),
        ("/x?a?b", ("/x", "a?b")),
        ("//host/x", ("//host/x", "")),
        ("/", ("/", "")),
        ("http://other.example/rest/x?a", ("/rest/x", "a")),
        ("HTTPS://other.example:8443/rest/x", ("/rest/x", "")),
        ("http://[::1]:80/x", ("/x", "")),
        ("http://other.example", ("/", "")),
        ("http://other.example?a=http://x/", ("/", "a=http://x/")),
    ],
)
def test_request_targets(target: str, expected: tuple[str, str]) -> None:
    assert origin_form(target) == expected


@pytest.mark.parametrize(
    "target",
    [
        "",
        "*",
        "rest/x",
        "host:443",
        "@host/x",
        "http:/x",
        "http:///x",
        "http://user@host/x",
        "http://user:secret@host/x",
        "http://host\\@evil/x",
        "http://host:port/x",
        "ftp://host/x",
        "http\u017f://host/x",
        "file:///etc/passwd",
        "/x#fragment",
        "/x?a#b",
        "http://host/#x",
        "/a b",
        "/x?a\r\nb",
        "/x?a\x00",
    ],
)
def test_other_request_targets_are_refused(target: str) -> None:
    with pytest.raises(MalformedRequest):
        origin_form(target)

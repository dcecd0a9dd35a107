"""What a document is called."""

from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.filenames import disposition, extension
from gateway.operation import Operation


def _operation(filename: str | None, pipeline: str | None = "invoice") -> Operation:
    return Operation("a", "s", "s.e", "t", "i", "u", "c", 0.0, filename=filename, pipeline=pipeline)


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("data.json", "data.pdf"),
        ("2026-11.data.csv", "2026-11.data.pdf"),
        ("no extension", "no extension.pdf"),
        ("C:\\data\\in.csv", "in.pdf"),
        ("../../etc/passwd", "passwd.pdf"),
        ('a"b.csv', 'a"b.pdf'),
        ("..", "...pdf"),
        (None, "invoice.pdf"),
        ("/", "invoice.pdf"),
    ],
)
def test_the_documents_name(filename: str | None, expected: str) -> None:
    assert _read(disposition(_operation(filename), "application/pdf")) == expected


def test_without_a_name_it_is_called_output() -> None:
    assert _read(disposition(_operation(None, None), "application/zip")) == "output.zip"


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/pdf; charset=x", ".pdf"),
        ("Application/PostScript", ".ps"),
        ("application/vnd.hp-PCL", ".pcl"),
        ("application/afp", ".afp"),
        ("text/html", ".html"),
        ("application/x-unheard-of", ".bin"),
    ],
)
def test_the_extension_is_the_content_types(content_type: str, expected: str) -> None:
    assert extension(content_type) == expected


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=255))
def test_any_name_stays_one_header_value(filename: str) -> None:
    value = disposition(_operation(filename), "application/pdf")
    assert value.isascii()
    assert value.startswith('attachment; filename="')
    assert _read(value).endswith(".pdf")
    assert "/" not in _read(value)


def _read(value: str) -> str:
    message = Message()
    message["Content-Disposition"] = value
    return message.get_filename() or ""

"""Secrets: where they come from, and that they are shown nowhere."""

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import InvalidSettings, Secret, Settings

PASSWORD = ("credentials", "printing", "password")
HIDDEN_WORD = "hunter2"


def test_a_value_is_revealed_only_on_request(load_with: Callable[..., Settings]) -> None:
    settings = load_with()
    assert settings.credentials["printing"].password.reveal() == HIDDEN_WORD
    shown = [
        repr(settings),
        str(settings),
        f"{settings.credentials['printing'].password}",
        str(settings.model_dump()),
        settings.model_dump_json(),
    ]
    assert not any(HIDDEN_WORD in text for text in shown)
    assert not hasattr(settings.credentials["printing"].password, "__dict__")


def test_the_environment_is_asked(load_with: Callable[..., Settings]) -> None:
    settings = load_with((PASSWORD, {"env": "PRINT"}), environ={"PRINT": "from env"})
    assert settings.credentials["printing"].password.reveal() == "from env"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"from file", "from file"),
        (b"from file\n", "from file"),
        (b"from file\r\n", "from file"),
        (b"from file\n\n", "from file\n"),
        (b" spaces stay ", " spaces stay "),
    ],
)
def test_a_file_loses_one_newline(
    load_with: Callable[..., Settings], tmp_path: Path, content: bytes, text: str
) -> None:
    (tmp_path / "secret").write_bytes(content)
    settings = load_with((PASSWORD, {"file": "secret"}))
    assert settings.credentials["printing"].password.reveal() == text
    assert settings.files() == [tmp_path / "gateway.yaml", tmp_path / "secret"]


def test_a_changed_secret_file_makes_the_settings_outdated(
    load_with: Callable[..., Settings], tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("one")
    settings = load_with((PASSWORD, {"file": "secret"}))
    assert not settings.is_outdated()
    os.utime(secret, ns=(1, 1))
    assert settings.is_outdated()
    secret.unlink()
    assert settings.is_outdated()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (HIDDEN_WORD, "must be exactly one of"),
        (17, "must be exactly one of"),
        (None, "must be exactly one of"),
        ({}, "must be exactly one of"),
        ({"value": HIDDEN_WORD, "env": "X"}, "must be exactly one of"),
        ({HIDDEN_WORD: None}, "must be exactly one of"),
        ({"value": 12345}, "must be exactly one of"),
        ({"value": ""}, "must be exactly one of"),
        ({"env": HIDDEN_WORD}, "the environment variable named in env is not set"),
        ({"file": HIDDEN_WORD}, "the file named in file does not exist"),
        ({"file": "."}, "is not a plain file"),
        ({"file": "hunter2\0"}, "has no valid name"),
        ({"file": "latin"}, "is not UTF-8 text"),
        ({"file": "empty"}, "the secret is empty"),
        ({"file": "large"}, "is larger than 1 MiB"),
    ],
)
def test_a_secret_that_cannot_be_had_is_a_mistake_that_does_not_show_it(
    load_with: Callable[..., Settings], tmp_path: Path, written: Any, message: str
) -> None:
    (tmp_path / "latin").write_bytes(b"\xff")
    (tmp_path / "empty").write_bytes(b"\n")
    (tmp_path / "large").write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(InvalidSettings) as caught:
        load_with((PASSWORD, written))
    (mistake,) = caught.value.mistakes
    assert mistake.path == "credentials.printing.password"
    assert message in mistake.message
    assert mistake.line > 1
    shown = "".join(traceback.format_exception(caught.value))
    assert HIDDEN_WORD not in shown + repr(caught.value) + str(caught.value) + repr(mistake)


@pytest.mark.parametrize(
    "text",
    [
        "public_url: *hunter2",
        "public_url: !hunter2 x",
        "public_url: hunter2: x",
        "public_url: %hunter2",
        'public_url: "hunter2',
        "{public_url: hunter2, public_url: hunter2}",
        "credentials: {a: {password: {hunter2, hunter2}}}",
        "%hunter2 x\n---\na: 1",
        "public_url: !hunter2!x y",
        "public_url: [hunter2",
        "log: {level: hunter2}",
        "listen: {address: hunter2, workers: hunter2, max_body: hunter2}",
        "store: redis://:hunter2@h/0",
        "store: redis://h/hunter2",
        "upstream: {url: 'http://svc:hunter2@h'}",
    ],
)
def test_what_is_written_is_not_quoted(load_text: Callable[[str], Settings], text: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_text(text)
    assert HIDDEN_WORD not in "".join(traceback.format_exception(caught.value))


def test_a_password_the_encoding_cannot_express_is_not_shown(
    load_with: Callable[..., Settings],
) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_with(
            (PASSWORD, {"value": "hunter2€"}), (("credentials", "printing", "encoding"), "latin-1")
        )
    shown = "".join(traceback.format_exception(caught.value))
    assert "encoding cannot express" in shown
    assert HIDDEN_WORD not in shown


def test_secrets_compare_by_their_text() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"

"""What a start refuses, which flag allows it, and that the operator is told where it stands."""

import os
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway import hardening
from gateway.cli import main
from gateway.risks import Risk
from gateway.settings import InvalidSettings

CONFIG = """\
version: 1
public_url: https://gateway.test
admin: {address: "127.0.0.1:0"}
upstream: {url: "https://connect.test:9340", tls: {verify: true}}
store: "memory:"
issuers:
  corporate: {issuer: "https://id.test", audiences: [olconnect]}
credentials:
  printing: {kind: basic, username: a, password: {file: password}}
teams:
  billing:
    members: {issuer: corporate, claim: groups, any_of: [ol-billing]}
    credential: printing
"""

RISKS = [
    (
        Risk.ADMIN_ADDRESS,
        "127.0.0.1:0",
        "0.0.0.0:9090",
        "3:9: admin.address: tells whoever reaches it",
    ),
    (
        Risk.ADMIN_ADDRESS,
        "127.0.0.1:0",
        "10.1.2.3:9090",
        "3:9: admin.address: tells whoever reaches it",
    ),
    (
        Risk.UPSTREAM_TLS,
        "verify: true",
        "verify: false",
        "4:52: upstream.tls.verify: trusts whoever answers",
    ),
    (
        Risk.HTTP_ISSUER,
        "https://id.test",
        "http://id.test",
        "7:15: issuers.corporate.issuer: must be an https:// URL",
    ),
]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.yaml"
    path.write_text(CONFIG)
    path.chmod(0o644)
    password = tmp_path / "password"
    password.write_text("hunter2")
    password.chmod(0o600)
    return path


def test_what_is_in_order_starts_without_a_word(config: Path) -> None:
    assert CliRunner().invoke(main, ["check", "--config", str(config)]).exit_code == 0


@pytest.mark.parametrize(("risk", "old", "new", "words"), RISKS)
def test_each_risk_is_refused_with_its_line_and_taken_only_by_its_own_flag(
    config: Path, risk: Risk, old: str, new: str, words: str
) -> None:
    config.write_text(config.read_text().replace(old, new))
    others = [other.flag for other in Risk if other is not risk]
    refused = CliRunner().invoke(main, ["serve", "--config", str(config), *others])
    assert refused.exit_code == 1
    assert f"{config}:{words}" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    told = CliRunner().invoke(main, ["check", "--config", str(config), *others])
    assert f"{config}:{words}" in told.stderr
    taken = CliRunner().invoke(main, ["check", "--config", str(config), risk.flag])
    assert (taken.exit_code, taken.stderr) == (0, "")
    with pytest.raises(InvalidSettings):
        hardening.load(config, {other for other in Risk if other is not risk})


def test_a_secret_in_a_configuration_that_others_can_read_is_said_and_not_refused(
    config: Path,
) -> None:
    config.write_text(config.read_text().replace("{file: password}", "{value: in-the-open}"))
    told = CliRunner().invoke(main, ["check", "--config", str(config)])
    assert told.exit_code == 0
    assert f"{config}:9:40: credentials.printing.password: stands in a file" in told.stderr
    assert "in-the-open" not in told.stderr
    hardening.load(config)
    config.chmod(0o600)
    assert CliRunner().invoke(main, ["check", "--config", str(config)]).stderr == ""


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o777])
def test_a_secrets_file_that_others_can_use_is_refused(config: Path, mode: int) -> None:
    (config.parent / "password").chmod(mode)
    with pytest.raises(InvalidSettings, match=r"credentials\.printing\.password: the secret"):
        hardening.load(config)


def test_the_gateways_own_group_may_read_a_secret_and_another_may_not(config: Path) -> None:
    password = config.parent / "password"
    password.chmod(0o640)
    hardening.load(config)
    if os.getuid() != 0:
        pytest.skip("only root can give a file to a group that it is not in")
    os.chown(password, -1, 54_321)
    with pytest.raises(InvalidSettings):
        hardening.load(config)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("audiences: [olconnect]", "audiences: []"),
        ("audiences: [olconnect]", "audiences: [olconnect], algorithms: [HS256]"),
        ("audiences: [olconnect]", "audiences: [olconnect], algorithms: [none]"),
        ("any_of: [ol-billing]", 'any_of: ["*"]'),
        ("any_of: [ol-billing]", "any_of: []"),
    ],
)
def test_some_things_no_flag_allows(config: Path, old: str, new: str) -> None:
    config.write_text(config.read_text().replace(old, new))
    with pytest.raises(InvalidSettings):
        hardening.load(config, set(Risk))


@pytest.mark.parametrize(
    ("name", "found"), [("aiohttp", "3.14.2"), ("aiohttp", "3.9.5"), ("PyJWT", "2.12.1")]
)
def test_old_libraries_are_refused_whatever_flags_there_are(name: str, found: str) -> None:
    def version_of(asked: str) -> str:
        return found if asked == name else version(asked)

    with pytest.raises(OSError, match=rf"{name} {found} has known holes"):
        hardening.check_libraries(set(Risk), version_of)


def test_these_libraries_will_do_and_their_parser_is_in_c() -> None:
    hardening.check_libraries()
    assert hardening.has_c_parser()


def test_a_missing_c_parser_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "aiohttp.http_parser.HttpRequestParser",
        __import__("aiohttp.http_parser", fromlist=["_"]).HttpRequestParserPy,
    )
    with pytest.raises(OSError, match="no C parser"):
        hardening.check_libraries()
    hardening.check_libraries({Risk.PYTHON_PARSER})

"""Loading as a whole: every mistake at once, each with its position; and the plain successes."""

import datetime
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.settings import InvalidSettings, JwksFile, JwksUrl, Mistake, Settings, load

FIVE_MISTAKES = """\
version: 1
public_url: https://print-api.example.com
listen:
  max_header: 512B
upstream: {url: http://127.0.0.1:9340, conect_timeout: 3s}
issuers:
  corporate: {issuer: https://id.example.com, audiences: []}
credentials:
  printing: {kind: basic, username: svc, password: {env: NOT_SET}}
teams:
  billing:
    members: {issuer: corporate, claim: groups, any_of: [a]}
    credential: printing
    allow:
      - endpoints: ["job_creation.*", "nothing.here"]
"""


def test_five_mistakes_at_once_in_the_order_of_the_file(
    load_text: Callable[[str], Settings], tmp_path: Path
) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_text(FIVE_MISTAKES)
    file = tmp_path / "gateway.yaml"
    assert str(caught.value).splitlines() == [
        f"{file}:4:3: listen.max_header: must be from 1KiB to 256KiB",
        f"{file}:5:40: upstream.conect_timeout: is not a known key; did you mean connect_timeout?",
        f"{file}:7:47: issuers.corporate.audiences: must not be empty",
        f"{file}:9:42: credentials.printing.password: "
        "the environment variable named in env is not set",
        f"{file}:15:39: teams.billing.allow[0].endpoints[1]: matches no endpoint",
    ]


def test_a_missing_key_is_placed_at_what_lacks_it(load_text: Callable[[str], Settings]) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_text("version: 1\nupstream:\n  aliases: []\n")
    found = [(each.line, each.column, each.path, each.message) for each in caught.value.mistakes]
    assert found == [
        (1, 1, "public_url", "is required"),
        (1, 1, "issuers", "is required"),
        (1, 1, "credentials", "is required"),
        (1, 1, "teams", "is required"),
        (2, 1, "upstream.url", "is required"),
    ]


def test_a_key_given_twice_does_not_hide_other_mistakes(
    load_text: Callable[[str], Settings],
) -> None:
    text = FIVE_MISTAKES.replace("  max_header: 512B\n", "  workers: 1\n  workers: 2\n")
    with pytest.raises(InvalidSettings) as caught:
        load_text(text)
    twice = caught.value.mistakes[0]
    assert (twice.line, twice.column, twice.path) == (5, 3, "listen.workers")
    assert twice.message == "is given twice, first in line 4"
    assert len(caught.value.mistakes) == 5


def test_a_mistake_without_a_path_is_shown_without_one() -> None:
    assert str(Mistake(Path("a.yaml"), 3, 4, "", "is wrong")) == "a.yaml:3:4: is wrong"


def test_defaults_are_those_of_the_contract(
    load_with: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = load_with()
    assert str(settings.listen.address) == "0.0.0.0:8080"
    assert str(settings.admin.address) == "127.0.0.1:9090"
    assert (settings.listen.max_body, settings.listen.max_header) == (2 * 2**30, 32 * 2**10)
    assert (settings.listen.workers, settings.listen.drain_timeout) == (1, 30.0)
    upstream = settings.upstream
    assert (upstream.connect_timeout, upstream.read_timeout, upstream.max_connections) == (
        3,
        60,
        100,
    )
    assert (upstream.tls.ca_file, upstream.tls.verify) == (None, True)
    assert (settings.store.kind, settings.store.path) == ("sqlite", tmp_path / "state/olgw.db")
    issuer = settings.issuers["corporate"]
    assert issuer.algorithms == ("RS256", "PS256", "ES256", "EdDSA")
    assert (issuer.jwks, issuer.leeway, issuer.introspection, issuer.login) == (
        "discovery",
        30.0,
        None,
        None,
    )
    assert settings.teams["billing"].objects == "own"
    assert settings.pipelines["invoice"].content_type == "application/pdf"
    cache = settings.cache.properties
    assert (cache.ttl, cache.max_entries, cache.max_size, cache.stale_if_error) == (
        60.0,
        50_000,
        64 * 2**20,
        600.0,
    )


@pytest.mark.parametrize(
    ("path", "written", "read"),
    [
        (("public_url",), "https://Print-API.example.com:443/", "https://print-api.example.com"),
        (("upstream", "aliases"), ["http://OLSERVER:9340"], ("http://olserver:9340",)),
        (("teams", "billing", "allow", 0, "presets"), ["Invoice*", 17], ("Invoice*", "17")),
        (("pipelines", "invoice", "template"), 4711, "4711"),
        (("pipelines", "invoice", "parameters", "job"), {"a": 1, "b": True}, {"a": 1, "b": True}),
        (("teams", "billing", "limits", "requests_per_second"), 5, 5),
        (("credentials", "printing", "encoding"), "latin-1", "latin-1"),
        (("issuers", "corporate", "issuer"), "http://localhost:1/x/", "http://localhost:1/x/"),
        (("issuers", "corporate", "issuer"), "http://[::1]:1", "http://[::1]:1"),
        (("teams", "billing", "allow", 0, "endpoints"), ["*"], ("*",)),
        (("teams", "billing", "pipelines"), ["inv*"], ("inv*",)),
        (("upstream", "read_timeout"), "250ms", 0.25),
        (("listen", "max_header"), "2KiB", 2048),
        (("listen", "max_body"), "512B", 512),
        (("cache", "properties", "max_size"), "1KiB", 1024),
    ],
)
def test_values_as_they_are_read(
    load_with: Callable[..., Settings], path: tuple[Any, ...], written: Any, read: Any
) -> None:
    at: Any = load_with((path, written))
    for step in path:
        at = getattr(at, step) if hasattr(at, str(step)) else at[step]
    assert at == read


def test_names_may_have_capitals(load_with: Callable[..., Settings]) -> None:
    pipeline = {"data_mapping": "a", "template": "b", "output_preset": "c"}
    settings = load_with(
        (("pipelines", "Invoice"), pipeline), (("teams", "billing", "pipelines"), ["Inv*"])
    )
    assert "Invoice" in settings.pipelines


def test_addresses_networks_and_origins(load_with: Callable[..., Settings]) -> None:
    listen = load_with(
        (("listen", "address"), "[::1]:0"),
        (("listen", "trusted_proxies"), ["10.0.0.0/8", "192.0.2.1", "fd00::/8"]),
        (("listen", "cors", "origins"), ["https://portal.example.com"]),
    ).listen
    assert (listen.address.host, listen.address.port, str(listen.address)) == ("::1", 0, "[::1]:0")
    assert [str(network) for network in listen.trusted_proxies] == [
        "10.0.0.0/8",
        "192.0.2.1/32",
        "fd00::/8",
    ]
    assert listen.cors.origins == ("https://portal.example.com",)


def test_stores(load_with: Callable[..., Settings]) -> None:
    assert load_with((("store",), "memory:")).store.kind == "memory"
    redis = load_with((("store",), "redis://cache:6379/2"), (("listen", "workers"), 4)).store
    assert redis.kind == "redis"
    assert redis.url is not None
    assert redis.url.reveal() == "redis://cache:6379/2"
    secret = load_with((("store",), {"env": "S"}), environ={"S": "rediss://u:hunter2@h/0"}).store
    assert secret.url is not None
    assert secret.url.reveal() == "rediss://u:hunter2@h/0"
    assert "hunter2" not in repr(secret) + str(secret)


def test_jwks_in_its_three_forms(load_with: Callable[..., Settings], tmp_path: Path) -> None:
    place = ("issuers", "corporate", "jwks")
    (tmp_path / "keys.json").write_text('{"keys": [{"kty": "OKP"}]}')
    assert load_with((place, "discovery")).issuers["corporate"].jwks == "discovery"
    by_url = load_with((place, {"url": "https://id.example.com/keys"})).issuers["corporate"].jwks
    assert by_url == JwksUrl(url="https://id.example.com/keys")
    settings = load_with((place, {"file": "keys.json"}))
    jwks = settings.issuers["corporate"].jwks
    assert isinstance(jwks, JwksFile)
    assert jwks.file == tmp_path / "keys.json"
    assert tmp_path / "keys.json" in settings.files()


def test_settings_cannot_be_changed(load_with: Callable[..., Settings]) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_with().listen.workers = 2  # type: ignore[misc]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="the configuration does not exist"):
        load(tmp_path / "none.yaml")


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="the configuration is not a plain file"):
        load(tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.touch(mode=0)
    with pytest.raises(InvalidSettings, match="the configuration may not be read"):
        load(file)


def test_a_file_that_is_too_large(load_text: Callable[[str], Settings]) -> None:
    with pytest.raises(InvalidSettings, match="is larger than 1 MiB"):
        load_text("#" * (2**20 + 1))


def test_a_path_relative_to_the_working_folder(
    load_with: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_with()
    monkeypatch.chdir(tmp_path)
    assert load(Path("gateway.yaml")).files() == [tmp_path / "gateway.yaml"]


def test_a_refused_configuration_is_outdated_once_a_file_it_lacks_appears(
    load_with: Callable[..., Settings], tmp_path: Path
) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_with((("credentials", "printing", "password"), {"file": "late"}))
    assert not caught.value.is_outdated()
    (tmp_path / "late").write_text("now")
    assert caught.value.is_outdated()


def self_signed(name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, day, day)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_certificates_are_read_and_watched(
    load_with: Callable[..., Settings], tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_bytes(self_signed("ca"))
    settings = load_with((("upstream", "tls"), {"ca_file": "ca.pem"}))
    assert settings.upstream.tls.ca_file == tmp_path / "ca.pem"
    assert tmp_path / "ca.pem" in settings.files()
    with pytest.raises(InvalidSettings, match="ca_file has no effect with verify: false"):
        load_with((("upstream", "tls"), {"ca_file": "ca.pem", "verify": False}))

"""Every rule that a single value, or two sections together, can break: one row each."""

from collections.abc import Callable
from typing import Any

import pytest

TEAM = ("teams", "billing")
ISSUER = ("issuers", "corporate")
ANOTHER_ISSUER = {"issuer": "https://id.example.com/realms/corp", "audiences": ["a"]}


@pytest.mark.parametrize(
    ("path", "value", "mistake"),
    [
        (("version",), 2, "version: must be 1"),
        (("version",), "1", "version: must be 1"),
        (("public_url",), "https://h/prefix", "public_url: * a path prefix is not supported"),
        (("public_url",), "https://h?x=1", "public_url: must not contain a query or fragment"),
        (("public_url",), "https://u:p@h", "public_url: must not contain a user name or password"),
        (("public_url",), "ftp://h", "public_url: must be an absolute http:// or https:// URL"),
        (("public_url",), "//h", "public_url: must be an absolute http:// or https:// URL"),
        (("public_url",), "https:\\\\h", "public_url: must be an absolute *"),
        (("public_url",), "https://h:99999", "public_url: * a valid host and port"),
        (("upstream", "url"), "http://h/rest", "upstream.url: * a path prefix is not supported"),
        (("upstream", "url"), "http://u@h", "upstream.url: must not contain a user name *"),
        (("upstream", "url"), "https://PRINT-api.example.com:443", "upstream.url: * call itself"),
        (("upstream", "aliases"), ["h:1"], "upstream.aliases[0]: must be an absolute *"),
        (("upstream", "aliases"), "http://h", "upstream.aliases: must be a list"),
        (("upstream", "connect_timeout"), "1h", "upstream.connect_timeout: * from 100ms to 1m"),
        (("upstream", "read_timeout"), "0s", "upstream.read_timeout: must be from 100ms to 1h"),
        (("upstream", "max_connections"), 0, "upstream.max_connections: * than or equal to 1"),
        (("upstream", "tls"), {"ca_file": "none"}, "upstream.tls.ca_file: * does not exist"),
        (("upstream", "tls"), {"ca_file": "gateway.yaml"}, "*.ca_file: holds no certificates *"),
        (("upstream", "tls"), {"verify": "yes"}, "upstream.tls.verify: must be true or false"),
        (("listen", "address"), "8080", "listen.address: must be HOST:PORT or [[]IPv6]:PORT"),
        (("listen", "address"), "h:65536", "listen.address: must be HOST:PORT or *"),
        (("listen", "address"), "[1.2]:80", "listen.address: * IPv6 address between *"),
        (("listen", "workers"), True, "listen.workers: must be a whole number"),
        (("listen", "workers"), 4, "store: must be redis:// when listen.workers is more than 1"),
        (("listen", "max_body"), 1024, "listen.max_body: * 512B, 64KiB, 1MiB or 2GiB"),
        (("listen", "max_header"), "512B", "listen.max_header: must be from 1KiB to 256KiB"),
        (("listen", "max_header"), "257KiB", "listen.max_header: must be from 1KiB to 256KiB"),
        (("listen", "drain_timeout"), 30, "listen.drain_timeout: * 250ms, 30s, 5m, 1h or 1d"),
        (("listen", "drain_timeout"), "2h", "listen.drain_timeout: must be from 0s to 1h"),
        (("listen", "cors"), {"origins": ["*"]}, "listen.cors.origins[0]: * use a caller's *"),
        (("listen", "cors"), {"origins": ["https://h/x"]}, "listen.cors.origins[0]: * path *"),
        (("listen", "cors"), {"origins": ["null"]}, "listen.cors.origins[0]: must be an *"),
        (("listen", "trusted_proxies"), ["h"], "listen.trusted_proxies[0]: must be a network *"),
        (("listen", "trusted_proxies"), ["10.0.0.1/8"], "listen.trusted_proxies[0]: must be *"),
        (("listen", "trusted_proxies"), ["::/0"], "listen.trusted_proxies[0]: * every address*"),
        (("admin", "address"), "127.0.0.1:8080", "admin.address: must have another port *"),
        (("store",), "postgres://h", "store: must be memory:, sqlite:PATH or redis:*"),
        (("store",), "memory", "store: must be memory:, sqlite:PATH or redis:*"),
        (("store",), "sqlite:", "store: must be memory:, sqlite:PATH or redis:*"),
        (("store",), "redis://", "store: must be memory:, sqlite:PATH or redis:*"),
        (("store",), "redis://h/x", "store: must name its database by number: *"),
        (("store",), "redis://:p@h/0", "store: has a user name or password: *"),
        (("store",), 3, "store: must be memory:, sqlite:PATH or redis:*"),
        (("log", "format"), "xml", "log.format: must be 'json' or 'text'"),
        (("log", "audit"), 3, "log.audit: must be the path of a file, as text"),
        (("issuers",), {}, "issuers: must not be empty"),
        (("issuers", "second"), ANOTHER_ISSUER, "issuers.second.issuer: is the same as *"),
        (("issuers", "Second."), ANOTHER_ISSUER, 'issuers["Second."]: a name has *'),
        ((*ISSUER, "issuer"), "http://id.example.com", "*.issuer: must be an https:// URL*"),
        ((*ISSUER, "issuer"), "https://h#f", "*.issuer: must not contain a query or fragment"),
        ((*ISSUER, "audiences"), [], "issuers.corporate.audiences: must not be empty"),
        ((*ISSUER, "audiences"), [""], "issuers.corporate.audiences[0]: must not be empty"),
        ((*ISSUER, "algorithms"), ["HS256"], "issuers.corporate.algorithms[0]: must be 'RS256', *"),
        ((*ISSUER, "algorithms"), ["none"], "issuers.corporate.algorithms[0]: must be 'RS256', *"),
        ((*ISSUER, "algorithms"), [], "issuers.corporate.algorithms: must not be empty"),
        ((*ISSUER, "leeway"), "6m", "issuers.corporate.leeway: must be from 0s to 5m"),
        ((*ISSUER, "jwks"), "elsewhere", "issuers.corporate.jwks: must be discovery, {url: *"),
        ((*ISSUER, "jwks"), {"url": "https://h", "file": "f"}, "*.jwks.url: is one too many*"),
        ((*ISSUER, "issuer"), "https://h?a=b", "*.issuer: must not contain a query or fragment"),
        ((*ISSUER, "jwks"), {"url": "http://h"}, "issuers.corporate.jwks.url: * https:// *"),
        ((*ISSUER, "jwks"), {"url": "https://h?a#f"}, "*.jwks.url: must not contain a fragment"),
        ((*ISSUER, "jwks"), {"file": "none"}, "issuers.corporate.jwks.file: * does not exist"),
        ((*ISSUER, "jwks"), {"file": "gateway.yaml"}, "*.jwks.file: holds no JSON Web Key Set *"),
        (
            (*ISSUER, "introspection"),
            {"client_id": "a", "client_secret": {"value": "b"}, "url": "http://h"},
            "issuers.corporate.introspection.url: must be an https:// URL*",
        ),
        ((*ISSUER, "login"), {"url": "http://h/token"}, "*.login.url: must be an https:// URL*"),
        ((*ISSUER, "login"), {"scop": "x"}, "issuers.corporate.login.scop: * did you mean scope?"),
        (("credentials", "printing", "kind"), "digest", "*.kind: must be 'basic' or 'auth_token'"),
        (
            ("credentials", "printing", "username"),
            "a:b",
            "*.username: * without colon *",
        ),
        (("credentials", "printing", "encoding"), "ascii", "*.encoding: must be 'utf-8' or *"),
        ((*TEAM, "members", "issuer"), "x", "teams.billing.members.issuer: is not the name *"),
        ((*TEAM, "members", "claim"), "a..b", "teams.billing.members.claim: must be a claim's *"),
        ((*TEAM, "members", "any_of"), [], "teams.billing.members.any_of: must not be empty"),
        ((*TEAM, "members", "any_of"), ["*"], "teams.billing.members.any_of[0]: * everyone"),
        ((*TEAM, "credential"), "x", "teams.billing.credential: is not the name of one of *"),
        ((*TEAM, "objects"), "all", "teams.billing.objects: must be 'own' or 'any'"),
        ((*TEAM, "pipelines"), ["x*"], "teams.billing.pipelines[0]: matches none of pipelines"),
        ((*TEAM, "pipelines"), ["x y"], "teams.billing.pipelines[0]: must be a pipeline's name*"),
        ((*TEAM, "allow", 0, "endpoints"), ["job"], "*.allow[0].endpoints[0]: must be service.*"),
        ((*TEAM, "allow", 0, "endpoints"), ["no.where"], "*.endpoints[0]: matches no endpoint"),
        ((*TEAM, "allow", 0, "endpoints"), [], "*.allow[0].endpoints: must not be empty"),
        ((*TEAM, "allow", 0, "presets"), [], "*.allow[0].presets: must not be empty"),
        ((*TEAM, "allow", 0, "presets"), [1.5], "*.allow[0].presets[0]: must be text"),
        ((*TEAM, "limits"), {"burst": 5}, "*.limits: burst has no effect without *"),
        ((*TEAM, "limits"), {"requests_per_second": 0}, "*.requests_per_second: * than 0"),
        (("teams", "a b"), None, 'teams["a b"]: a name has *'),
        (("pipelines", "Übung"), None, "pipelines*: a name has *"),
        (("pipelines", "invoice", "content_type"), "pdf", "*.content_type: must be a media type*"),
        (("pipelines", "invoice", "parameters"), {"job": {"a": []}}, "*.parameters.job.a: must *"),
        (("cache", "properties"), {"max_entries": 0}, "cache.properties.max_entries: *"),
        (("cache", "properties"), {"max_size": "1B"}, "*.max_size: must be from 1KiB to 64GiB"),
        (("cache", "properties"), {"ttl": "2d"}, "cache.properties.ttl: must be from 0s to 24h"),
        (("teams", "billing", "limit"), {}, "teams.billing.limit: * did you mean limits?"),
        (("qqq",), {}, "qqq: is not a known key; known are admin, cache, *"),
        (("listen",), None, "listen: must be a mapping"),
    ],
)
def test_each_rule(
    mistakes_with: Callable[..., list[str]], path: tuple[Any, ...], value: Any, mistake: str
) -> None:
    found = mistakes_with((path, value))
    assert any(matches(each, mistake) for each in found), found


def matches(text: str, pattern: str) -> bool:
    """``*`` stands for anything; every other character for itself."""
    head, *rest = pattern.replace("[[]", "[").split("*")
    if not rest:
        return text == head
    at = len(head)
    for part in rest[:-1]:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return text.startswith(head) and text.endswith(rest[-1]) and at + len(rest[-1]) <= len(text)


def test_a_broken_section_does_not_hide_what_others_lack(
    mistakes_with: Callable[..., list[str]],
) -> None:
    found = mistakes_with(
        (("issuers", "corporate"), 3),
        (("credentials",), []),
        ((*TEAM, "credential"), "printing"),
        ((*TEAM, "members", "issuer"), "elsewhere"),
    )
    assert found == [
        "issuers.corporate: must be a mapping",
        "credentials: must be a mapping of names to settings",
        "teams.billing.members.issuer: is not the name of one of issuers",
        "teams.billing.credential: is not the name of one of credentials",
    ]


def test_a_name_that_is_also_a_key_gets_the_right_suggestion(
    mistakes_with: Callable[..., list[str]],
) -> None:
    issuer = {"issuer": "https://a.example.com", "audiences": ["a"], "jwsk": 1}
    assert mistakes_with((("issuers", "login"), issuer)) == [
        "issuers.login.jwsk: is not a known key; did you mean jwks?"
    ]

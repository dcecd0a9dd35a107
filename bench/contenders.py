"""Who competes, in which set-up, at which work."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

from bench.ground import CONTENDER_CORE, HERE, Ground, Process, free_port

_TOKEN_RULES = """\
    http-request deny deny_status 401 unless {{ req.hdr(authorization) -m beg Bearer }}
    http-request set-var(txn.alg) http_auth_bearer,jwt_header_query('$.alg')
    http-request deny deny_status 401 unless {{ var(txn.alg) -m str RS256 }}
    http-request deny deny_status 401 unless {{ http_auth_bearer,jwt_verify(txn.alg,"{pem}") 1 }}
    http-request deny deny_status 401 unless {{ http_auth_bearer,jwt_payload_query('$.aud') -m str olconnect }}"""
_CACHE_RULES = """\
    http-request cache-use properties
    http-response cache-store properties"""

AUTHENTICATED = ("W1", "W2", "W2f", "W3", "W4", "W5", "W6a", "W6b")


@dataclass(frozen=True)
class Contender:
    """``start`` gives the process that does the work, or None where it cannot be done."""

    name: str
    needs: str | None  # the program that has to be installed
    work: tuple[str, ...]
    start: Callable[[Ground, str], Process]

    def missing(self) -> str | None:
        return self.needs if self.needs and not shutil.which(self.needs) else None


def _gateway(ground: Ground, work: str) -> Process:
    port = free_port()
    config = ground.write(
        "gateway.yaml",
        f"gateway-{port}.yaml",
        port=port,
        admin_port=free_port(),
        ttl="1h" if work == "W3" else "0s",
    )
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(config)]
    return Process(command, CONTENDER_CORE, port)


def _haproxy(ground: Ground, work: str) -> Process:
    port = free_port()
    pem = ground.folder / "public.pem"
    config = ground.write(
        "haproxy.cfg",
        f"haproxy-{port}.cfg",
        port=port,
        admin_port=free_port(),
        haproxy_token="" if work == "W1" else _TOKEN_RULES.format(pem=pem),
        haproxy_cache=_CACHE_RULES if work == "W3" else "",
    )
    return Process(["haproxy", "-f", str(config), "-db", "-q"], CONTENDER_CORE, port)


def _nginx(ground: Ground, work: str) -> Process:
    port = free_port()
    config = ground.write(
        "nginx.conf",
        f"nginx-{port}.conf",
        port=port,
        nginx_cache="properties" if work == "W3" else "off",
    )
    return Process(["nginx", "-p", str(ground.folder), "-c", str(config)], CONTENDER_CORE, port)


def _plain(ground: Ground, work: str) -> Process:
    port = free_port()
    upstream = f"http://127.0.0.1:{ground.upstream_port}"
    script = str(HERE / "peers/plain_aiohttp.py")
    pem = str(ground.folder / "public.pem")
    command = [sys.executable, script, str(port), upstream, "Basic c3ZjOmJlbmNo", pem]
    return Process(command, CONTENDER_CORE, port)


CONTENDERS = (
    Contender("gateway", None, AUTHENTICATED, _gateway),
    Contender("haproxy", "haproxy", AUTHENTICATED, _haproxy),
    Contender("nginx", "nginx", ("W1", "W3", "W4", "W5"), _nginx),
    Contender("plain aiohttp", None, tuple(w for w in AUTHENTICATED if w != "W3"), _plain),
)

"""The ground all contenders stand on: ports, keys, tokens, files, processes on their cores."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

HERE = Path(__file__).resolve().parent
BASIC = "Basic c3ZjOmJlbmNo"  # svc:bench
PROPERTIES = (
    '[{"name":"start","value":"2015-01-01 00:00:00T-0500"},{"name":"copies","value":"007"}]'
)
BIG_BYTES = 10 * 1024 * 1024
CONTENDER_CORE, LOAD_CORE = 0, 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Ground:
    """Files and tokens of one run, in a folder that the caller removes."""

    folder: Path
    upstream_port: int = field(default_factory=free_port)

    def prepare(self) -> None:
        (self.folder / "answers").mkdir(parents=True)
        (self.folder / "answers/big.bin").write_bytes(os.urandom(BIG_BYTES))
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        keys = {"keys": [{**public, "kid": "bench", "alg": "RS256", "use": "sig"}]}
        (self.folder / "jwks.json").write_text(json.dumps(keys))
        (self.folder / "public.pem").write_bytes(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        self._key = key

    def token(self, number: int = 0) -> str:
        now = int(time.time())
        claims = {
            "iss": "http://127.0.0.1:9",
            "aud": "olconnect",
            "sub": "somebody",
            "groups": ["billing", "staff"],
            "iat": now,
            "exp": now + 7200,
            "jti": str(number),
        }
        return jwt.encode(claims, self._key, "RS256", headers={"kid": "bench", "typ": "at+jwt"})

    def write(self, template: str, name: str, **values: object) -> Path:
        text = (HERE / "peers" / template).read_text(encoding="utf-8")
        path = self.folder / name
        path.write_text(
            text.format(
                folder=self.folder,
                upstream_port=self.upstream_port,
                basic=BASIC,
                properties=PROPERTIES,
                **values,
            )
        )
        return path


@dataclass
class Process:
    """A contender or the stand-in, on its core, with its children counted as itself."""

    command: Sequence[str]
    core: int
    port: int

    def start(self) -> None:
        command = list(self.command)
        if shutil.which("taskset"):
            command = ["taskset", "-c", str(self.core), *command]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"{command[3:]} ended at once")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"{command[3:]} does not listen")

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def cpu_seconds(self) -> float:
        ticks = os.sysconf("SC_CLK_TCK")
        return sum(_cpu_ticks(pid) for pid in self._pids()) / ticks

    def rss_bytes(self) -> int:
        page = os.sysconf("SC_PAGE_SIZE")
        return sum(
            int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page for pid in self._pids()
        )

    def _pids(self) -> list[int]:
        pids, found = [self._process.pid], [self._process.pid]
        while pids:
            pid = pids.pop()
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            pids += map(int, children)
            found += map(int, children)
        return found


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])

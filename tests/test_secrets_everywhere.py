"""No secret comes out anywhere: not in an answer, log line, metric or message of a command.

A real process is taken through what works, what is refused and what breaks. Everything that it
and the commands said is then searched for everything that was to be kept.
"""

import asyncio
import base64
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.simulator.issuer import Client
from gateway.simulator.options import Options, User
from tests.support.stage import REST, Stage
from tests.support.wire import dial

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")

ROOT = Path(__file__).resolve().parents[1]
PRINT_PASSWORD = "pr1nt-Kx7%{passw0rd}"
ARCHIVE_PASSWORD = "arch1ve-Zq4-passw0rd"
WRONG_PASSWORD = "wr0ng-Jm9-passw0rd"
CLIENT_SECRET = "cl1ent-Wb2-secret"
CALLERS_PASSWORD = "caller-Td5-passw0rd"
PASSWORDS = {
    "svc-print": PRINT_PASSWORD,
    "svc-archive": ARCHIVE_PASSWORD,
    "wrong": WRONG_PASSWORD,
    "robot": CLIENT_SECRET,
    "caller": CALLERS_PASSWORD,
}
LISTENERS = ("public", "admin")
JOBS = "/entity/jobs/7/properties"

# The stage's configuration, with secrets of every origin and a team whose password is wrong.
REPLACED = {
    "http://gateway.test": "http://127.0.0.1:9",
    "drain_timeout: 1s": "drain_timeout: 1s, max_body: 2KiB",
    "requests: none": "requests: all, level: debug",
    "audiences: [olconnect]": "audiences: [olconnect], introspection:"
    " {client_id: robot, client_secret: {env: OLGW_CLIENT_SECRET}}",
    "{value: print-pw}": "{file: print.password}",
    "archive-pw": ARCHIVE_PASSWORD,
    "teams:\n": "  wrong: {kind: auth_token, username: svc-print,"
    f" password: {{value: {WRONG_PASSWORD}}}}}\nteams:\n",
    'credential: printing\n    allow: [{endpoints: ["*.*"]}]\n    pipelines: [flyer]': (
        'credential: wrong\n    allow: [{endpoints: ["*.*"]}]'
    ),
}

# Fails where a credential is in hand, in a frame that a careless traceback would print.
BREAKING = """
import os
from gateway.upstream.credentials import Account
line_of = Account.line
async def line(self):
    shown = await line_of(self)
    password = self.settings.password.reveal()
    if os.path.exists(os.environ["BREAK_IF_THERE"]):
        raise RuntimeError("broken on purpose")
    return shown
Account.line = line
"""

# What an operator may write by mistake with the secret in it.
BROKEN = [
    ("password: {file: print.password}", f'password: "{PRINT_PASSWORD}"'),
    ("password: {file: print.password}", f'password: {{valeu: "{PRINT_PASSWORD}"}}'),
    ("password: {file: print.password}", f'password: {{value: ["{PRINT_PASSWORD}"]}}'),
    ("password: {file: print.password}", f'passwort: {{value: "{PRINT_PASSWORD}"}}'),
    ("password: {file: print.password}", f'password: {{value: "{PRINT_PASSWORD}"'),
    ("kind: basic", f"kind: {ARCHIVE_PASSWORD}"),
]


@dataclass
class Scene:
    """A gateway in a process of its own, and everything that has come out of it so far."""

    stage: Stage
    folder: Path
    environ: dict[str, str]
    said: list[str] = field(default_factory=list)
    public: int = 0
    admin: int = 0
    pid: int = 0

    @property
    def config(self) -> Path:
        return self.folder / "gateway.yaml"

    @property
    def break_if_there(self) -> Path:
        return self.folder / "break"

    def log(self) -> str:
        return (self.folder / "out").read_text() + (self.folder / "err").read_text()

    async def logged(self, event: str, times: int = 1) -> None:
        async with asyncio.timeout(60):
            while self.log().count(f'"event":"{event}"') < times:  # noqa: ASYNC110 - a process
                await asyncio.sleep(0.02)

    async def send(
        self, method: str, path: str, *lines: str, port: int = 0, body: bytes = b""
    ) -> str:
        """The answer's text; what is asked for goes out as it stands."""
        head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: gateway", *lines])
        length = f"\r\nContent-Length: {len(body)}" if body or method == "POST" else ""
        async with dial(port or self.public) as wire:
            await wire.send(f"{head}{length}\r\nConnection: close\r\n\r\n".encode(), body)
            answer = (await wire.rest()).decode()
        self.said.append(answer)
        return answer

    async def ask(self, token: str, path: str, method: str = "GET", *lines: str) -> str:
        return await self.send(method, REST + path, f"Authorization: Bearer {token}", *lines)

    async def command(self, *arguments: str, stdin: str | None = None) -> None:
        runner = CliRunner(env=self.environ)
        result = await asyncio.to_thread(runner.invoke, main, arguments, input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert result.output
        self.said.append(result.output)


@asynccontextmanager
async def _scene(folder: Path) -> AsyncIterator[Scene]:
    users = {"svc-print": User(PRINT_PASSWORD), "svc-archive": User(ARCHIVE_PASSWORD)}
    async with Stage(options=Options(users=users, operation_seconds=0.05)) as stage:
        stage.issuer.clients["robot"] = Client(CLIENT_SECRET, {"groups": ["ol-billing"]})
        (folder / "sitecustomize.py").write_text(BREAKING)
        password = folder / "print.password"
        password.touch(mode=0o600)
        password.write_text(PRINT_PASSWORD)
        environ = os.environ | {
            "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
            "OLGW_CLIENT_SECRET": CLIENT_SECRET,
            "BREAK_IF_THERE": str(folder / "break"),
        }
        scene = Scene(stage, folder, environ)
        scene.config.touch(mode=0o600)
        scene.config.write_text(_configuration(scene.stage))
        async with _serving(scene):
            yield scene


def _configuration(stage: Stage) -> str:
    text = stage.config.format(upstream=stage.simulator.url, issuer=stage.issuer.url)
    for old, new in REPLACED.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@asynccontextmanager
async def _serving(scene: Scene) -> AsyncIterator[None]:
    arguments = ["-m", "gateway", "serve", "--config", str(scene.config)]
    out, err = (scene.folder / "out").open("w"), (scene.folder / "err").open("w")
    with out, err:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdout=out, stderr=err, cwd=ROOT, env=scene.environ
        )
    try:
        await scene.logged("listening")
        (listening,) = (line for line in scene.log().splitlines() if '"listening"' in line)
        where = json.loads(listening)
        scene.pid = process.pid
        scene.public, scene.admin = (int(where[one].rpartition(":")[2]) for one in LISTENERS)
        yield
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _tokens(stage: Stage) -> dict[str, str]:
    """Callers' tokens, by what becomes of them."""
    good, mint = stage.token(), stage.issuer.mint
    head, payload, signature = good.split(".")
    return {
        "good": good,
        "reader": stage.token("ol-readers"),
        "operator": stage.token("ol-operators"),
        "badly_placed": stage.token("ol-marketing"),
        "opaque": stage.issuer.mint_opaque(groups=["ol-billing"]),
        "token_claims": mint(groups=["ol-billing"], sub=None),
        "token_malformed": f"{head}.{payload}",
        "token_expired": mint(ttl_seconds=-3600),
        "token_signature": f"{head}.{payload}.{signature[::-1]}",
        "token_issuer": mint(iss="https://elsewhere.example"),
        "token_audience": mint(aud="others"),
        "token_key_unknown": mint(header={"kid": "nobody's"}),
        "no_team": stage.token("nobody"),
    }


async def _use(scene: Scene, tokens: dict[str, str]) -> None:
    """All that may be done, refused, malformed, or fail at OL Connect."""
    good = tokens["good"]
    for token in tokens.values():
        await scene.ask(token, "/authentication/version")
        await scene.ask(token, f"{JOBS}?token={quote(token)}")
        await scene.send("GET", REST + JOBS, f"auth_token: {token}")
        await scene.send("GET", "/api/v1/me", f"Authorization: Bearer {token}")
    basic = base64.b64encode(f"caller:{CALLERS_PASSWORD}".encode()).decode()
    await scene.send("POST", f"{REST}/authentication/login", f"Authorization: Basic {basic}")
    await scene.send("GET", REST + JOBS, f"Authorization: Basic {basic}")
    await scene.send("GET", REST + JOBS, f"Authorization: Bearer {good}", f"auth_token: {good}x")
    await scene.send("GET", REST + JOBS)
    await scene.ask(tokens["reader"], "/filestore/DataFile", "POST")
    await scene.ask(good, "/entity/%6aobs/7/properties")
    await scene.ask(good, "/no/such/endpoint")
    await scene.ask(good, JOBS, "PATCH")
    await scene.ask(good, JOBS, "GET", f"X-Large: {'x' * 70_000}")
    await scene.send("GET", REST + JOBS, f"Authorization: Bearer {good}", f"Bad Name: {good}")
    await scene.send(f"GET {good}", "/", f"Authorization: Bearer {good}")
    line = f"Authorization: Bearer {good}"
    await scene.send("POST", f"{REST}/filestore/DataFile?filename=a", line, body=b"x" * 4096)
    await scene.send("POST", f"{REST}/filestore/DataFile?filename=a", line, body=b"[]")
    for fault in ("drop_before", "garbage_head", "error", "expire_token"):
        scene.stage.simulator.faults.add(fault, path="authentication/version")
        await scene.ask(good, "/authentication/version")
        scene.stage.simulator.faults.clear()
    for path in ("/metrics", "/readyz?verbose", f"/{good}"):
        await scene.send("GET", path, line, port=scene.admin)


async def _break(scene: Scene, tokens: dict[str, str]) -> None:
    """A mistake of the gateway's own, then operators' mistakes, each reloaded and checked."""
    scene.break_if_there.touch()
    assert "internal_error" in await scene.ask(tokens["good"], "/authentication/version")
    assert "internal_error" in await scene.ask(tokens["operator"], JOBS)
    scene.break_if_there.unlink()
    pid = scene.pid
    for number, (old, new) in enumerate(BROKEN, 1):
        text = _configuration(scene.stage)
        assert old in text
        scene.config.write_text(text.replace(old, new, 1))
        os.kill(pid, signal.SIGHUP)
        await scene.logged("reload_refused", number)
        await scene.command("check", "--config", str(scene.config))
    scene.config.write_text(_configuration(scene.stage))


async def _inspect(scene: Scene, tokens: dict[str, str]) -> None:
    config = ("--config", str(scene.config))
    for command in ("check", "doctor", "routes", "openapi"):
        await scene.command(command, *config)
    for token in tokens.values():
        explain = ("explain", *config, "--token-file", "-", "GET", REST + JOBS)
        await scene.command(*explain, stdin=token)


def _kept_secret(scene: Scene, tokens: dict[str, str]) -> dict[str, str]:
    """What must not be seen, by what it is; in the forms in which it travels."""
    kept = {}
    for number, text in enumerate(_upstream_tokens(scene.stage)):
        kept[f"OL Connect's token {number}"] = text
    for name, text in tokens.items():
        _, *parts = text.rpartition(".")[::-1]
        kept[f"token {name}"] = text
        kept |= {f"{name}'s part {part[:4]}": part[:40] for part in parts if len(part) > 10}
    for name, password in PASSWORDS.items():
        kept[f"{name}'s pair"] = base64.b64encode(f"{name}:{password}".encode()).decode()
        kept |= {password: password, f"quoted {password}": quote(password)}
    return kept


def _upstream_tokens(stage: Stage) -> set[str]:
    return {
        value
        for request in stage.simulator.record.requests
        for name, value in request.headers
        if name.lower() == "auth_token"
    }


def _found(text: str, kept: dict[str, str]) -> list[str]:
    return [name for name, secret in kept.items() if secret in text]


def _missing(text: str, expected: Iterable[str]) -> list[str]:
    return [one for one in expected if one not in text]


# That the run came to all of this is what makes the search worth something.
CODES = """ambiguous_credentials ambiguous_path body_too_large headers_too_large internal_error
malformed_request method_not_allowed no_team not_allowed not_found token_audience token_claims
token_expired token_issuer token_key_unknown token_malformed token_missing token_signature
unknown_endpoint upstream_credential_refused upstream_unreachable"""


async def test_no_secret_comes_out_anywhere(tmp_path: Path) -> None:
    async with _scene(tmp_path) as scene:
        tokens = _tokens(scene.stage)
        await _use(scene, tokens)
        await _break(scene, tokens)
        await _inspect(scene, tokens)
        os.kill(scene.pid, signal.SIGTERM)
        await scene.logged("stopped")
        assert _upstream_tokens(scene.stage)
    answers, log = "\n".join(scene.said), scene.log()
    assert not _missing(answers, CODES.split())
    assert not _missing(
        log, ["broken on purpose", "Traceback", "reload_refused", "job_entity.get_properties"]
    )
    kept = _kept_secret(scene, tokens)
    assert not _found(answers, kept)
    assert not _found(log, kept)


def test_the_search_finds_what_is_there() -> None:
    kept = {"password": PRINT_PASSWORD, "other": ARCHIVE_PASSWORD}
    assert _found(f'{{"event":"{PRINT_PASSWORD}"}}', kept) == ["password"]

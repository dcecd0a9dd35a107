"""Who may call: Basic or a token, told apart as each generation of OL Connect's documents does."""

import base64
import binascii
import math
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.simulator import wire
from gateway.simulator.content import Bytes
from gateway.simulator.errors import Refusal
from gateway.simulator.options import Options, User
from gateway.simulator.wire import Denied

COOKIE = "JSESSIONID"
KEPT_TOKENS = 10_000  # expired ones included, so that they can be told from invented ones
MESSAGES = {
    2019: {
        "none": (401, "Server authentication required"),
        "wrong": (403, "Server authentication has failed or expired"),
        "expired": (403, "Server authentication has failed or expired"),
    },
    2020: {
        "none": (401, ""),
        "wrong": (403, "Server authentication is required."),
        "expired": (401, "Server authentication has failed."),
    },
    2023: {
        "none": (401, "Server authentication has failed."),
        "wrong": (401, "Server authentication has failed."),
        "expired": (401, "Server authentication has failed."),
    },
}
NOT_ALLOWED = (
    "Server authentication has succeeded, "
    "but user authorization for this specific method has failed"
)
CHALLENGE = ("WWW-Authenticate", "BASIC")


@dataclass(slots=True)
class Session:
    """A token's owner; the roles are those at the login, whatever became of the user since."""

    who: str
    roles: tuple[str, ...]
    expires: float


class Security:
    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._sessions: dict[str, Session] = {}
        self._logins: deque[float] = deque()

    def login(self, headers: Mapping[str, str], options: Options) -> wire.Answer:
        self._count_login(options)
        if not options.security and options.open_login != "token":
            if options.open_login == "error":
                raise Refusal(404, "Server security is not enabled")
            return wire.text("")
        who, user = self._user(headers, options) if options.security else ("", User(""))
        token = self._open_session(who, user, options)
        answer_headers = []
        if options.auth_generation != 2019:
            answer_headers.append(("Token-Expires-In", str(int(options.token_seconds))))
        if options.session_cookie:
            answer_headers.append(("Set-Cookie", f"{COOKIE}={token}; Path=/; HttpOnly"))
        return wire.text(token, headers=answer_headers)

    def authenticate(
        self, headers: Mapping[str, str], cookies: Mapping[str, str], options: Options
    ) -> tuple[str, tuple[str, ...] | None]:
        """Name and roles; roles None where security is off. Raises Denied."""
        if not options.security:
            return "", None
        if "Authorization" in headers and options.auth_generation != 2019:
            who, user = self._user(headers, options)
            return who, user.roles
        token = headers.get("auth_token") or ""
        if not token and options.session_cookie:
            token = cookies.get(COOKIE, "")
        if not token:
            raise denied("none", options)
        session = self._session(token, options)
        return session.who, session.roles

    def expire_tokens(self) -> None:
        for session in self._sessions.values():
            session.expires = -math.inf

    def _session(self, token: str, options: Options) -> Session:
        session = self._sessions.get(token)
        if session is None:
            raise denied("wrong", options)
        if session.expires <= self._now():
            raise denied("expired", options)
        if options.token_sliding:
            session.expires = self._now() + options.token_seconds
        return session

    def _user(self, headers: Mapping[str, str], options: Options) -> tuple[str, User]:
        if "Authorization" not in headers:
            raise denied("none", options)
        name, password = basic_credentials(headers["Authorization"])
        user = options.users.get(name)
        if user is None or not secrets.compare_digest(user.password.encode(), password.encode()):
            raise denied("wrong", options)
        return name, user

    def _open_session(self, who: str, user: User, options: Options) -> str:
        token = secrets.token_urlsafe(32)
        self._sessions[token] = Session(who, user.roles, self._now() + options.token_seconds)
        if len(self._sessions) > KEPT_TOKENS:
            del self._sessions[next(iter(self._sessions))]
        return token

    def _count_login(self, options: Options) -> None:
        if not options.login_limit_per_minute:
            return
        now = self._now()
        while self._logins and self._logins[0] <= now - 60:
            self._logins.popleft()
        if len(self._logins) >= options.login_limit_per_minute:
            wait = max(1, math.ceil(self._logins[0] + 60 - now))
            refusal = Refusal(options.login_limit_status, "Too many login attempts")
            raise Denied(wire.error(refusal, [("Retry-After", str(wait))]))
        self._logins.append(now)


def basic_credentials(header: str) -> tuple[str, str]:
    """Name and password; two empty texts, which fit nobody, for anything unreadable."""
    scheme, _, encoded = header.partition(" ")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return "", ""
    name, colon, password = decoded.partition(":")
    return (name, password) if scheme.lower() == "basic" and colon else ("", "")


def check_roles(roles: tuple[str, ...] | None, needed: tuple[str, ...], options: Options) -> None:
    """Any of the needed roles will do. Roles came with 2020.2."""
    if roles is None or not needed or options.auth_generation == 2019:
        return
    if set(roles).isdisjoint(needed):
        raise denied("role", options)


def denied(reason: str, options: Options) -> Denied:
    """``reason``: none (no credentials), wrong, expired, or role."""
    generation = options.auth_generation
    status, message = (403, NOT_ALLOWED) if reason == "role" else MESSAGES[generation][reason]
    headers = [CHALLENGE] if status == 401 and (reason == "none" or generation == 2023) else []
    if generation == 2023:
        return Denied(wire.error(Refusal(status, message), headers))
    return Denied(wire.Answer(status, Bytes(message.encode()), None, headers))

"""Every way in which public documents leave OL Connect's behaviour open, as one frozen record."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from gateway.simulator.errors import SimulatorError

ROLE_DATA = "ROLE_DATA"
ROLE_RESOURCE = "ROLE_RESOURCE"
ROLE_MONITOR = "ROLE_MONITOR"
ALL_ROLES = (ROLE_DATA, ROLE_RESOURCE, ROLE_MONITOR)

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in; the password never shows in a representation."""

    password: str = field(repr=False)
    roles: tuple[str, ...] = ALL_ROLES


def _default_users() -> dict[str, User]:
    return {"ol-admin": User("secret")}


@dataclass(frozen=True, slots=True)
class Options:
    """The defaults are the likeliest reading of the newest documents."""

    version: str = "2024.2.3.23676"
    # Links of a 202
    link_form: str = "lines"
    link_target: str = "absolute"
    link_host: str = ""  # empty: the request's Host; else an origin such as http://OLSERVER:9340
    # Operations
    operation_seconds: float = 2.0
    seconds_per_record: float = 0.002
    early_result: str = "block"  # or the status that a result asked for too early gets
    result_twice: str = "again"
    done_seconds: float = 30.0  # how long getProgress says "done" before it says 404
    cross_service: bool = False  # one service answers for another's operations
    managed_result: str = "text"
    missing_entity: int = 404
    separator: str = "\n"
    output_folder: str = "C:\\OL Connect\\Output"
    clean_up_seconds: float = 0.0  # age at which the Clean-up Service takes things; 0: never
    # Security
    security: bool = True
    open_login: str = "token"  # what login answers when security is off
    auth_generation: int = 2023
    token_seconds: float = 3600.0
    token_sliding: bool = False
    login_limit_per_minute: int = 0  # 0: no limit
    login_limit_status: int = 429
    session_cookie: bool = False
    users: Mapping[str, User] = field(default_factory=_default_users)
    route_roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # Wire
    cors: bool = False
    charset: bool = False
    # Standing in
    managed_files: tuple[str, ...] = ()  # further names to install at the start
    keep_upload_bytes: int = 64 * MIB  # kept in memory per file; what is larger goes to disk

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                choices = ", ".join(str(choice) or "(empty)" for choice in allowed)
                raise SimulatorError(f"{name} cannot be {value!r}; choose one of: {choices}")
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, int | float) and value < 0:
                raise SimulatorError(f"{item.name} cannot be negative")


CHOICES: dict[str, tuple[object, ...]] = {
    "link_form": ("lines", "comma"),
    "link_target": ("absolute", "relative"),
    "early_result": ("block", "404", "409", "500"),
    "result_twice": ("again", "gone"),
    "managed_result": ("text", "json"),
    "missing_entity": (404, 400),
    "open_login": ("token", "empty", "error"),
    "auth_generation": (2019, 2020, 2023),
    "login_limit_status": (429, 503),
}

TRUE_WORDS = {"true": True, "yes": True, "on": True, "1": True}
FALSE_WORDS = {"false": False, "no": False, "off": False, "0": False}


def changed(options: Options, changes: Mapping[str, Any]) -> Options:
    """Options with some values replaced, given as JSON values or as text (a command line's).

    Raises SimulatorError, with all unknown names at once or the first value that does not fit."""
    known = {item.name for item in fields(Options)}
    if unknown := sorted(set(changes) - known):
        raise SimulatorError(
            f"no such option: {', '.join(unknown)}; there are: {', '.join(sorted(known))}"
        )
    fitting = {name: _fitting(name, value) for name, value in changes.items()}
    return replace(options, **fitting)


def _fitting(name: str, value: Any) -> Any:
    if name == "users":
        return _users(value)
    if name == "route_roles":
        return {route: tuple(roles) for route, roles in _parsed(name, value, dict).items()}
    if name == "managed_files":
        return tuple(value.split(",")) if isinstance(value, str) else tuple(value)
    kind = type(getattr(Options(), name))
    try:
        return _switch(value) if kind is bool else kind(value)
    except (TypeError, ValueError) as error:
        raise SimulatorError(f"{name} cannot be {value!r}; it takes {kind.__name__}") from error


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = TRUE_WORDS | FALSE_WORDS
    if (word := str(value).lower()) not in words:
        raise ValueError(value)
    return words[word]


def _parsed(name: str, value: Any, kind: type) -> Any:
    try:
        parsed = json.loads(value) if isinstance(value, str) else value
    except ValueError as error:
        raise SimulatorError(f"{name} is not JSON: {error}") from error
    if not isinstance(parsed, kind):
        raise SimulatorError(f"{name} must be a JSON {kind.__name__}")
    return parsed


def _users(value: Any) -> dict[str, User]:
    """``{"name": "password"}`` or ``{"name": {"password": ..., "roles": [...]}}``."""
    users = {}
    for name, entry in _parsed("users", value, dict).items():
        if isinstance(entry, User):
            users[name] = entry
        elif isinstance(entry, str):
            users[name] = User(entry)
        elif isinstance(entry, dict) and isinstance(entry.get("password"), str):
            users[name] = User(entry["password"], tuple(entry.get("roles", ALL_ROLES)))
        else:
            raise SimulatorError(f"users: {name} needs a password")
    return users


def shown(options: Options) -> dict[str, Any]:
    """The options as JSON, without passwords."""
    values = {item.name: getattr(options, item.name) for item in fields(Options)}
    values["users"] = {name: {"roles": user.roles} for name, user in options.users.items()}
    return values

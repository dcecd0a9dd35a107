"""What a start refuses because it is insecure, unless a flag of ``olgw serve`` names it.

The configuration's own checks refuse what no flag allows: empty audiences, symmetric algorithms,
a team of everybody, proxies that are everybody.
"""

import os
import stat
from collections.abc import Callable, Collection, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gateway.catalogue import ENDPOINTS
from gateway.risks import Risk
from gateway.settings import InvalidSettings, Mistake, Settings
from gateway.settings import load as load_settings
from gateway.settings.addresses import is_loopback
from gateway.settings.mistakes import Place, path_of, position_of
from gateway.settings.reader import Document, Unreadable, read
from gateway.settings.sources import stamp_of

LOWEST_VERSIONS = {"aiohttp": (3, 14, 3), "PyJWT": (2, 13)}

_Found = tuple[Risk, Place, str]


def load(path: Path, taken: Collection[Risk] = ()) -> Settings:
    """A configuration to serve. Raises InvalidSettings also for what is insecure."""
    settings = validate(path, taken)
    refused = refusals(path, settings, taken)
    if refused:
        raise InvalidSettings(refused, {file: stamp_of(file) for file in settings.files()})
    return settings


def validate(path: Path, taken: Collection[Risk] = ()) -> Settings:
    """A configuration that is right in itself. Raises InvalidSettings."""
    plain_http = Risk.HTTP_ISSUER in taken
    return load_settings(path, known_endpoints=ENDPOINTS, plain_http_issuers=plain_http)


def refusals(path: Path, settings: Settings, taken: Collection[Risk] = ()) -> list[Mistake]:
    """What a start refuses of a valid configuration, unless the risk is ``taken``."""
    document = _document(path)
    return [
        Mistake(
            path,
            *position_of(place, document.positions),
            path_of(place),
            f"{message}, or start with {risk.flag}",
        )
        for risk, place, message in _risks(path, settings, document)
        if risk not in taken
    ]


def shown_secrets(path: Path) -> list[Mistake]:
    """Secrets written into a configuration that others can read: said, not refused.

    Such a file is what people begin with; the example and the README lead away from it.
    """
    if os.name != "posix" or not others_can_read(path):
        return []
    document = _document(path)
    message = "stands in a file that others can read: chmod 600, or use {env: …} or {file: …}"
    return [
        Mistake(path, *position_of(place, document.positions), path_of(place), message)
        for place, kind, _ in _secrets(document.value, ())
        if kind == "value"
    ]


def check_libraries(
    taken: Collection[Risk] = (), version_of: Callable[[str], str] = version
) -> None:
    """Raises OSError where what the gateway stands on is too old, or reads HTTP leniently."""
    for name, lowest in LOWEST_VERSIONS.items():
        try:
            found = version_of(name)
        except PackageNotFoundError:
            raise OSError(f"{name} is not installed") from None
        if _numbers(found) < lowest:
            wanted = ".".join(map(str, lowest))
            raise OSError(f"{name} {found} has known holes: {wanted} or later is needed")
    if Risk.PYTHON_PARSER not in taken and not has_c_parser():
        raise OSError(
            "aiohttp has no C parser here, and its other one is more lenient: install "
            "a wheel of aiohttp, unset AIOHTTP_NO_EXTENSIONS, or start with "
            f"{Risk.PYTHON_PARSER.flag}"
        )


def has_c_parser() -> bool:
    # The package decides at its import which of the two it uses, and keeps both names.
    from aiohttp import http_parser  # noqa: PLC0415 - long to import, and `check` needs it not

    return http_parser.HttpRequestParser is not http_parser.HttpRequestParserPy


def _numbers(found: str) -> tuple[int, ...]:
    return tuple(int(part) for part in found.split(".") if part.isdigit())


def _document(path: Path) -> Document:
    try:
        return read(path.read_bytes())
    except (OSError, Unreadable):
        return Document()  # it changed since it was loaded; the next reload tells


def _risks(path: Path, settings: Settings, document: Document) -> Iterator[_Found]:
    if not is_loopback(settings.admin.address.host):
        message = "tells whoever reaches it about teams and load: use 127.0.0.1"
        yield Risk.ADMIN_ADDRESS, ("admin", "address"), message
    if not settings.upstream.tls.verify:
        message = "trusts whoever answers in OL Connect's place: name its certificate in ca_file"
        yield Risk.UPSTREAM_TLS, ("upstream", "tls", "verify"), message
    if os.name == "posix":
        yield from _readable_secrets(document, path.absolute().parent)


def _readable_secrets(document: Document, folder: Path) -> Iterator[_Found]:
    for place, kind, argument in _secrets(document.value, ()):
        if kind == "file" and others_can_read(folder / argument):
            message = "the secret's file can be read by others: chmod 600"
            yield Risk.SECRET_FILES, place, message


def _secrets(value: Any, place: Place) -> Iterator[tuple[Place, str, str]]:
    """Where secrets stand, whether as ``value``, ``file`` or ``env``, and its argument."""
    if not isinstance(value, dict):
        return
    if len(value) == 1 and _holds_secret(place):
        kind, argument = next(iter(value.items()))
        yield place, str(kind), str(argument)
        return
    for key, inner in value.items():
        yield from _secrets(inner, (*place, key))


def _holds_secret(place: Place) -> bool:
    return bool(place) and (place[-1] in ("password", "client_secret") or place == ("store",))


def others_can_read(path: Path) -> bool:
    """Beside the owner, and a group that the gateway itself is in: ``root:olgw 0640`` is usual."""
    try:
        status = path.stat()
    except OSError:
        return False
    if status.st_mode & stat.S_IRWXO:
        return True
    own_groups = {os.getegid(), *os.getgroups()}
    return bool(status.st_mode & stat.S_IRWXG) and status.st_gid not in own_groups

"""The only door to a configuration: read it, check all of it, and report every mistake at once."""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from gateway.settings.checks import Finding, cross_check
from gateway.settings.findings import findings_of
from gateway.settings.mistakes import InvalidSettings, Mistake, path_of, position_of
from gateway.settings.models import Settings
from gateway.settings.reader import Document, Unreadable, read
from gateway.settings.sources import Sources, why_unreadable


def load(
    path: Path,
    *,
    known_endpoints: Collection[str] | None = None,
    environ: Mapping[str, str] = os.environ,
    plain_http_issuers: bool = False,
) -> Settings:
    """Raises InvalidSettings. ``known_endpoints`` lets it find patterns that match nothing."""
    sources = Sources(path.absolute().parent, environ, plain_http_issuers=plain_http_issuers)
    try:
        content = sources.read(path.absolute())
    except OSError as error:
        message = f"the configuration {why_unreadable(error)}"
        raise InvalidSettings([Mistake(path, 1, 1, "", message)], sources.files) from None
    return parse(content, path, sources, known_endpoints=known_endpoints)


def parse(
    content: bytes,
    path: Path,
    sources: Sources,
    *,
    known_endpoints: Collection[str] | None = None,
) -> Settings:
    """As ``load``, of a content at hand; ``path`` is what the mistakes are to name."""
    try:
        document = read(content)
    except Unreadable as error:
        mistake = Mistake(path, *error.position, "", error.message)
        raise InvalidSettings([mistake], sources.files) from None
    settings, findings = _validate(document, sources)
    malformed = {place for place, _ in findings}
    findings += [
        finding
        for finding in cross_check(document.value, known_endpoints)
        if finding[0] not in malformed
    ]
    mistakes = [*_flaws(document, path), *_mistakes(findings, document, path)]
    if settings is None or mistakes:
        raise InvalidSettings(mistakes, sources.files)
    return settings


def _validate(document: Document, sources: Sources) -> tuple[Settings | None, list[Finding]]:
    try:
        return Settings.model_validate(document.value, context=sources), []
    except ValidationError as error:
        # Only the findings leave this function: the error itself holds the values, and they
        # would otherwise travel with the traceback.
        return None, findings_of(error)


def _flaws(document: Document, path: Path) -> Iterator[Mistake]:
    for position, place, message in document.flaws:
        yield Mistake(path, *position, path_of(place), message)


def _mistakes(findings: list[Finding], document: Document, path: Path) -> Iterator[Mistake]:
    for place, message in findings:
        position = position_of(place, document.positions)
        yield Mistake(path, *position, path_of(place), message)

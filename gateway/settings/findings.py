"""Pydantic's findings as ours: the place as written in the file, and words for an operator."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.checks import Finding
from gateway.settings.identities import JWKS_TAGS, JwksFile, JwksUrl
from gateway.settings.mistakes import Place
from gateway.settings.models import Settings

_WORDS = {
    "missing": "is required",
    "model_type": "must be a mapping",
    "mapping_type": "must be a mapping of names to settings",
    "dict_type": "must be a mapping of names to settings",
    "tuple_type": "must be a list",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}
_SUBJECT = re.compile(r"^[A-Z][a-z]+ should ")
_KEYS_OF_JWKS = {*JwksUrl.model_fields, *JwksFile.model_fields}


def findings_of(error: ValidationError) -> list[Finding]:
    """Inputs are left out: any of them may be a secret."""
    details = error.errors(include_url=False, include_input=False)
    places = [_place(detail) for detail in details]
    return [
        (place, _message(detail))
        for place, detail in zip(places, details, strict=True)
        if not (detail["type"] == "too_short" and _has_inner(place, places))
    ]


def _has_inner(place: Place, places: list[Place]) -> bool:
    """Pydantic counts only the valid items of a list, so it also calls short what has bad ones."""
    return any(len(other) > len(place) and other[: len(place)] == place for other in places)


def _place(detail: ErrorDetails) -> Place:
    """Without the steps that are pydantic's own: tags of unions, and "[key]" for a key."""
    loc = detail["loc"]
    own = loc[:-1] if loc and loc[-1] == "[key]" else loc
    return tuple(step for step in own if step not in JWKS_TAGS)


def _message(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown_key(detail["loc"])
    if kind == "literal_error" and JWKS_TAGS & set(detail["loc"]):
        return "must be discovery, {url: URL} or {file: PATH}"
    if kind == "literal_error":
        return f"must be {detail['ctx']['expected']}"
    if kind in _WORDS:
        return _WORDS[kind]
    return _SUBJECT.sub("must ", detail["msg"])


def _unknown_key(loc: Place) -> str:
    known = sorted(_known_keys(loc[:-1]))
    if loc[-1] in known:  # of the alternatives, the one that was not chosen
        return f"is one too many: give one of {', '.join(known)}"
    near = get_close_matches(str(loc[-1]), known, n=1)
    if near:
        return f"is not a known key; did you mean {near[0]}?"
    return f"is not a known key; known are {', '.join(known)}"


def _known_keys(loc: Place) -> set[str]:
    if JWKS_TAGS & set(loc):
        return _KEYS_OF_JWKS
    return set(_model_at(loc).model_fields)


def _model_at(loc: Place) -> type[BaseModel]:
    """The record that a place leads to; the steps between are keys of mappings and indexes."""
    at: Any = Settings
    for step in loc:
        if not _is_model(at):
            at = _model_in(at)
            continue
        annotation = at.model_fields[step].annotation
        at = annotation if get_origin(annotation) in (Mapping, tuple) else _model_in(annotation)
    assert _is_model(at)
    return cast(type[BaseModel], at)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _model_in(annotation: Any) -> Any:
    """The first record in an annotation such as ``Mapping[Name, Team]`` or ``Login | None``."""
    if _is_model(annotation):
        return annotation
    found = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in found if model is not None), None)

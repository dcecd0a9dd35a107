"""Which objects of OL Connect a request names, and which an answer tells of.

Everything here reads the catalogue's selectors; nothing knows an endpoint by name.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from gateway.catalogue import PARAMETERS, TEXT, Endpoint, Role, Selected
from gateway.model import Kind, Thing
from gateway.problems import (
    AmbiguousPath,
    InvalidParameters,
    MalformedRequest,
    UpstreamInvalidResponse,
)
from gateway.rules import documents, paths
from gateway.rules.documents import Selector

NO_JOB_PRESET = "0"
"""In the path of an ad-hoc All-In-One: no job creation preset (cookbook 2019.2)."""

_RESULT_HEADERS: Mapping[str, Kind] = {
    "x-data-set-id": Kind.DATA_SET,
    "x-content-set-id": Kind.CONTENT_SET,
    "x-job-set-id": Kind.JOB_SET,
}

_SEARCHED: Mapping[str, Kind] = {
    "DATARECORDS": Kind.DATA_RECORD,
    "DATASETS": Kind.DATA_SET,
    "CONTENTITEMS": Kind.CONTENT_ITEM,
    "CONTENTSETS": Kind.CONTENT_SET,
    "JOBS": Kind.JOB,
    "JOBSETS": Kind.JOB_SET,
}

# The last step of an All-In-One configuration decides what the operation leaves behind.
_STEPS: Sequence[tuple[str, Kind]] = (
    ("outputcreation", Kind.FILE),
    ("jobcreation", Kind.JOB_SET),
    ("contentcreation", Kind.CONTENT_SET),
    ("datamining", Kind.DATA_SET),
)

STEP_INPUTS: Mapping[str, str] = {
    "datamining": "identifier",
    "contentcreation": "identifiers",
    "jobcreation": "identifiers",
    "outputcreation": "identifiers",
}
"""The steps of an All-In-One configuration in their order, and where each names its input."""

# Whose ids may be other than numbers.
_NAMED = frozenset({Kind.FILE, Kind.PRESET, Kind.OPERATION})


@cache
def _selector(text: str) -> Selector:
    return Selector(text)


def of_path(parameters: Mapping[str, str]) -> list[Thing]:
    """Raises AmbiguousPath for a number in another than its plain form: 007, +8."""
    things = []
    for name, value in parameters.items():
        kind = PARAMETERS[name].kind
        if kind is None or (name == "jcConfigId" and value == NO_JOB_PRESET):
            continue
        if kind is not Kind.OPERATION and not documents.is_plain(value, names=kind in _NAMED):
            raise AmbiguousPath(f"{name} must be a number in its plain decimal form, or a name.")
        things.append(Thing(kind, value))
    return things


def of_query(endpoint: Endpoint, raw_query: str) -> list[Thing]:
    """Raises MalformedRequest for a query that can be read in two ways."""
    if endpoint.query and ";" in raw_query:
        # To some servers a separator like '&'.
        raise MalformedRequest("Percent-encode semicolons in this query.")
    things = []
    for name, kind in endpoint.query.items():
        values = paths.query_values(raw_query, name)
        if len(values) > 1 and kind is Kind.PRESET:
            raise MalformedRequest(f"The query names {name} more than once.", parameter=name)
        things += [Thing(kind, _query_id(name, kind, value)) for value in values]
    return things


def _query_id(name: str, kind: Kind, value: str) -> str:
    if documents.is_plain(value, names=kind in _NAMED):
        return value
    raise InvalidParameters(f"{name} must be a number in its plain decimal form.", parameter=name)


def file_names(raw_query: str) -> list[str]:
    """The names under which an upload can be referred to; a number-like one names no file."""
    try:
        values = paths.query_values(raw_query, "filename")
    except MalformedRequest:
        return []
    return [value for value in values if value and not documents.is_number_like(value)]


def of_body(endpoint: Endpoint, document: Any) -> list[Thing]:
    """Raises InvalidParameters where the shape leaves open which ids are meant."""
    return of_document(endpoint.body, document)


def of_document(selected: Selected, document: Any) -> list[Thing]:
    things = []
    for selector, kind in _fitting(selected, document).items():
        names = kind in _NAMED
        found = documents.find(document, _selector(selector), names=names)
        things += [Thing(kind, id_) for id_ in found]
    return things


def _fitting(selected: Selected, document: Any) -> Selected:
    """Where a document may be an array or one object, the selectors of the form it has."""
    is_array = isinstance(document, list)
    fitting = {
        selector: kind
        for selector, kind in selected.items()
        if selector.startswith("[]") == is_array
    }
    return fitting or selected


def presets(things: Iterable[Thing]) -> list[str]:
    return [thing.id for thing in things if thing.kind is Kind.PRESET]


def result_of(endpoint: Endpoint, document: Any) -> Kind | None:
    """What the operation that ``endpoint`` starts will leave behind."""
    if endpoint.result is not None or not isinstance(document, dict):
        return endpoint.result
    return next((kind for step, kind in _STEPS if step in document), None)


def searched(document: Any) -> Kind:
    """The kind of object an ``entity/find`` asks for. Raises InvalidParameters."""
    entity = document.get("entity") if isinstance(document, dict) else None
    kind = _SEARCHED.get(entity) if isinstance(entity, str) else None
    if kind is None:
        known = ", ".join(_SEARCHED)
        raise InvalidParameters(f"entity must be one of {known}.", parameter="entity")
    return kind


def of_result_headers(headers: Mapping[str, str]) -> list[Thing]:
    """The ids an All-In-One result names beside its body, if it was asked to."""
    return [
        Thing(kind, id_)
        for name, kind in _RESULT_HEADERS.items()
        for id_ in documents.ids_in_text(headers.get(name, "").encode("utf-8", "replace"))
    ]


def of_answer(selected: Selected, body: bytes) -> list[Thing]:
    """What a successful answer tells of; an answer that reads differently teaches nothing.

    The same method answers with a bare id on one server and with JSON on another.
    """
    as_text = selected.get(TEXT)
    if as_text is not None and body[:1] not in (b"{", b"["):
        return [Thing(as_text, id_) for id_ in documents.ids_in_text(body)]
    rest = {selector: kind for selector, kind in selected.items() if selector != TEXT}
    if not rest:
        return []
    try:
        return of_document(rest, documents.read(body))
    except (MalformedRequest, InvalidParameters):
        return []


def only(selected: Selected, document: Any, owned: Callable[[Thing], bool]) -> Any:
    """``document`` without the elements that name an object for which ``owned`` is false.

    Raises UpstreamInvalidResponse where the document has them elsewhere than expected.
    """
    for selector, kind in selected.items():
        key = selector.partition("[")[0]
        if key and isinstance(document, dict) and document and key not in document:
            raise UpstreamInvalidResponse("OL Connect sent a list of another form.")
        document = documents.keep(document, _selector(selector), _named(kind, owned))
    return document


def _named(kind: Kind, owned: Callable[[Thing], bool]) -> Callable[[str], bool]:
    return lambda id_: owned(Thing(kind, id_))


def listed(endpoint: Endpoint, searched_kind: Kind | None) -> Selected:
    """Where an answer that must be filtered holds its ids."""
    if endpoint.role is Role.SEARCH and searched_kind is not None:
        return {"[][].identifier": searched_kind}
    return endpoint.answer

"""Where an operation is asked for: the addresses of its progress, result and cancellation."""

import re

from gateway.catalogue import ENDPOINTS, PREFIX
from gateway.problems import UpstreamInvalidResponse
from gateway.rules.headers import RawHeaders
from gateway.rules.links import link

_ID = re.compile(rb"[A-Za-z0-9._~-]{1,128}")
_RELATIONS = {"progress": "get_progress", "result": "get_result", "cancel": "cancel"}


def path_of(service: str, method: str, id_: str) -> str:
    """The path of ``getProgress``, ``getResult``, ``cancel``… of one operation."""
    endpoint = ENDPOINTS[f"{service}.{method}"]
    return PREFIX + endpoint.path.replace("{operationId}", id_)


def listing_of(service: str) -> str:
    """The path of a service's ``getOperations``."""
    return PREFIX + ENDPOINTS[f"{service}.get_operations"].path


def id_in(raw_headers: RawHeaders) -> str | None:
    """The ``operationId`` of an answer. Raises UpstreamInvalidResponse for one of another form."""
    values = {value for name, value in raw_headers if name.lower() == b"operationid"}
    if not values:
        return None
    value = values.pop()
    if values or not _ID.fullmatch(value):
        raise UpstreamInvalidResponse("OL Connect named an operation in a way that cannot be used.")
    return value.decode("ascii")


def link_lines(service: str, id_: str, public_url: str) -> list[tuple[str, str]]:
    """``Link`` lines as a start of this service would have carried them."""
    return [
        ("Link", link(public_url + path_of(service, method, id_), relation))
        for relation, method in _RELATIONS.items()
    ]

"""Calls to OL Connect that the gateway makes up itself, rather than passing one on."""

import re
from typing import Any

from pydantic_core import to_json

from gateway import requests
from gateway.catalogue import Endpoint
from gateway.front import Passage
from gateway.problems import NotFound
from gateway.rules import policy
from gateway.upstream.call import Call

_PARAMETER = re.compile(r"\{\w+\}")
_ID = re.compile(r"0|[1-9][0-9]{0,18}")


def is_id(text: str) -> bool:
    """Whether it is a number in its only spelling: 007 would be another cache entry than 7."""
    return _ID.fullmatch(text) is not None


def underlying(passage: Passage) -> Endpoint:
    """The endpoint of OL Connect whose grant let the request in."""
    endpoint = policy.underlying(passage.endpoint.name, passage.parameters)
    assert endpoint is not None
    return endpoint


def path_of(endpoint: Endpoint, id_: str) -> str:
    """The path of an endpoint that names one entity. Raises NotFound for what is no id."""
    if not is_id(id_):
        raise NotFound
    return _PARAMETER.sub(id_, endpoint.template)


def reading(passage: Passage, path: str) -> Call:
    lines = [requests.IDENTITY, *requests.identifying_lines(passage.exchange)]
    return Call("GET", path, headers=lines)


def writing(passage: Passage, path: str, document: Any) -> Call:
    call = reading(passage, path)
    call.method, call.body = "PUT", to_json(document)
    call.headers.append(("Content-Type", "application/json"))
    return call

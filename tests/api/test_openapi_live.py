"""The gateway does what its OpenAPI document says: schemathesis makes requests of the document,
sound and unsound ones, and holds the answers to it."""

import asyncio
import queue
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Thread
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks

from gateway.api.openapi import document
from gateway.simulator.options import Options
from tests.support.stage import USERS, Stage

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(120)]

_CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
    checks.allow_header_conformance,
    checks.ignored_auth,
]
_LAST_ID = 3
_KNOWN = "known"  # stands for the id of an operation that exists


@dataclass(frozen=True)
class Live:
    """Where the gateway listens, a token that opens it, and an operation of its team's."""

    url: str
    token: str
    operation: str


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    """A stage in a thread of its own, since schemathesis has no event loop."""
    told: queue.Queue[Live | BaseException] = queue.Queue()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def play() -> None:
        try:
            async with Stage(options=Options(users=USERS, operation_seconds=0.0)) as stage:
                caller = stage.caller("ol-billing")
                for _ in range(_LAST_ID):
                    await caller.job()
                listed = (await caller.get("/api/v1/operations")).json()["operations"]
                told.put(Live(stage.url, caller.token or "", listed[0]["id"]))
                await over.wait()
        except BaseException as error:
            told.put(error)
            raise

    thread = Thread(target=loop.run_until_complete, args=[play()])
    thread.start()
    found = told.get(timeout=60)
    if isinstance(found, BaseException):
        raise found
    yield found
    loop.call_soon_threadsafe(over.set)
    thread.join()
    loop.close()


def _described() -> Any:
    """The document, its path parameters narrowed to what exists: else all would be a 404."""
    content = document("http://gateway.test")
    parameters = content["components"]["parameters"]
    for name in ("id", "jobId"):
        known = {"minimum": 1, "maximum": _LAST_ID}
        parameters[name] = {**parameters[name], "schema": {"type": "integer", **known}}
    for name, known_name in (("operationId", _KNOWN), ("name", "invoice"), ("OL-Team", "billing")):
        narrowed = {"type": "string", "enum": [known_name]}
        parameters[name] = {**parameters[name], "schema": narrowed, "example": known_name}
    schema: Any = schemathesis.openapi.from_dict(content)
    # Query parameters that nobody knows are ignored, as everywhere on the web.
    schema.config.generation.update(allow_extra_parameters=False)
    return schema


_schema = _described()


@_schema.parametrize()  # type: ignore[untyped-decorator]
@settings(
    max_examples=5,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_the_gateway_keeps_to_the_document(case: Any, live: Live) -> None:
    if case.path_parameters.get("operationId") == _KNOWN:
        case.path_parameters["operationId"] = live.operation
    case.call_and_validate(
        base_url=live.url,
        headers={"Authorization": f"Bearer {live.token}"},
        checks=_CHECKS,
        timeout=30,
    )

"""One request as a route sees it: path and query decoded, the body as JSON or as kept content."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from gateway.simulator import wire
from gateway.simulator.content import CHUNK_BYTES, Spooled
from gateway.simulator.engine import Engine
from gateway.simulator.errors import Refusal
from gateway.simulator.operations import Operation, Outcome
from gateway.simulator.options import Options
from gateway.simulator.record import RequestEntry
from gateway.simulator.security import Security


@dataclass(slots=True)
class Call:
    request: web.Request
    engine: Engine
    security: Security
    entry: RequestEntry
    service: str = ""
    base: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    who: str = ""
    _body: Spooled | None = None

    @property
    def options(self) -> Options:
        return self.engine.options

    def query(self, name: str, default: str = "") -> str:
        return self.request.query.get(name, default)

    def flag(self, name: str, default: bool = False) -> bool:
        """Clients write true, True and false."""
        return self.query(name, str(default)).lower() == "true"

    async def content(self) -> Spooled:
        """The body, hashed while it arrives."""
        if self._body is None:
            self._body = Spooled(self.options.keep_upload_bytes)
            async for chunk in self.request.content.iter_chunked(CHUNK_BYTES):
                self._body.append(chunk)
                self.entry.body_size = self._body.size
            self.entry.body_sha256 = self._body.sha256
        return self._body

    async def upload(self) -> Spooled:
        content = await self.content()
        if not content.size:
            raise Refusal(400, "Request contains no data for upload to File Store")
        return content

    async def json(self, name: str = "JSON Identifier") -> Any:
        """Raises Refusal 500, naming the structure that was expected."""
        try:
            return json.loads((await self.content()).read())
        except (ValueError, RecursionError) as error:
            raise self.bad_json(name) from error

    async def json_object(self, name: str, *, optional: bool = False) -> dict[str, Any]:
        if optional and not (await self.content()).size:
            return {}
        value = await self.json(name)
        if not isinstance(value, dict):
            raise self.bad_json(name)
        return value

    def bad_json(self, name: str) -> Refusal:
        return Refusal(500, f"{name} invalid or missing required structure")

    async def parameters(self, *, optional: bool = True) -> dict[str, Any]:
        """Runtime parameters out of a body that may be empty."""
        return self.parameters_in(await self.json_object("JSON Parameters", optional=optional))

    def parameters_in(self, body: Mapping[str, Any]) -> dict[str, Any]:
        parameters = body.get("parameters") or {}
        if not isinstance(parameters, dict):
            raise self.bad_json("JSON Parameters")
        return parameters

    def start(
        self,
        work: Callable[[], Outcome],
        *,
        records: int,
        resources: dict[str, str],
        sub_task: str = "",
        ids_in_headers: bool = False,
    ) -> Operation:
        operation = self.engine.start(
            self.service,
            work,
            records=records,
            who=self.who,
            resources=resources,
            sub_task=sub_task,
            ids_in_headers=ids_in_headers,
        )
        self.entry.operation_id = operation.id
        return operation

    def accepted(self, operation: Operation) -> wire.Answer:
        return wire.accepted(operation, self.base, self.request.host, self.options)

    def operation(self) -> Operation:
        return self.engine.operations.get(self.service, self.params["operationId"], self.options)

"""The control API for tests in another process: what was asked, faults, options, a fresh start.

It lies outside the REST prefix, so that nothing in front of the simulator lets it through."""

import json
from typing import Any, Protocol

from aiohttp import web

from gateway.simulator.engine import Engine
from gateway.simulator.errors import SimulatorError
from gateway.simulator.faults import Faults, fault_from_json
from gateway.simulator.options import Options, changed, shown
from gateway.simulator.record import Record

CONTROL = "/__simulator/"


class Controlled(Protocol):
    @property
    def record(self) -> Record: ...

    @property
    def faults(self) -> Faults: ...

    @property
    def engine(self) -> Engine: ...

    @property
    def options(self) -> Options: ...

    @options.setter
    def options(self, options: Options) -> None: ...

    def reset(self) -> None: ...


async def answer(simulator: Controlled, request: web.Request) -> web.Response:
    """JSON in, JSON out; a mistake is 400 with a sentence."""
    what = request.path.removeprefix(CONTROL)
    try:
        body = await _json(request) if request.method == "POST" and what != "reset" else None
        return web.json_response(_perform(simulator, request.method, what, body))
    except SimulatorError as error:
        return web.json_response({"error": str(error)}, status=400)


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except ValueError as error:
        raise SimulatorError(f"the body is not JSON: {error}") from error


def _perform(simulator: Controlled, method: str, what: str, body: Any) -> Any:
    match (method, what):
        case ("GET", "record"):
            return simulator.record.as_json()
        case ("GET", "faults"):
            return simulator.faults.as_json()
        case ("GET", "options"):
            return shown(simulator.options)
        case ("POST", "faults"):
            simulator.faults.set([fault_from_json(entry) for entry in _a_list(body)])
            return simulator.faults.as_json()
        case ("POST", "options"):
            if not isinstance(body, dict):
                raise SimulatorError("options are an object of names and values")
            simulator.options = changed(simulator.options, body)
            return shown(simulator.options)
        case ("POST", "files"):
            return _add_zeros(simulator.engine, body)
        case ("POST", "reset"):
            simulator.reset()
            return {}
    raise SimulatorError(
        f"there is no {method} {CONTROL}{what}; there are: GET record, GET and POST faults, "
        "GET and POST options, POST files, POST reset"
    )


def _a_list(body: Any) -> list[Any]:
    return body if isinstance(body, list) else [body]


def _add_zeros(engine: Engine, body: Any) -> dict[str, int]:
    """``{"name", "size"}``: a data file of zeros, or an output preset that prints them."""
    try:
        name, size = str(body["name"]), int(body["size"])
    except (TypeError, KeyError, ValueError) as error:
        raise SimulatorError("a file of zeros needs a name and a size in bytes") from error
    is_preset = name.endswith(".OL-outputpreset")
    add = engine.add_zero_preset if is_preset else engine.add_zero_file
    return {"id": add(name, size).id}

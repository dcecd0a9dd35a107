"""Faults on request: which requests go wrong, how, and how often."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from gateway.simulator.errors import SimulatorError

FAULTS = (
    "delay",  # waits before anything happens
    "drop_before",  # the connection goes before the request is looked at
    "drop_after_start",  # the request takes effect, then the connection goes without an answer
    "drop_mid_body",  # half the announced body, then the connection goes
    "error",  # an error status instead of the effect
    "expire_token",  # all tokens end before the request is looked at
    "slow_body",  # the body trickles over ``seconds``
    "truncate",  # half the body, announced as if it were all
    "garbage",  # a body that is no text, no JSON and no PDF
    "garbage_head",  # an answer that is not HTTP
)


@dataclass(slots=True)
class Fault:
    """``times`` None: for ever. ``path`` is a regular expression, searched in the raw path."""

    fault: str
    method: str = ""
    path: str = ""
    times: int | None = 1
    seconds: float = 0.0
    status: int = 500

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise SimulatorError(f"no such fault: {self.fault!r}; there are: {', '.join(FAULTS)}")
        try:
            re.compile(self.path)
        except re.error as error:
            raise SimulatorError(f"path {self.path!r} is no regular expression: {error}") from error

    def matches(self, method: str, raw_path: str) -> bool:
        fits = self.method in ("", method) and re.search(self.path, raw_path) is not None
        return fits and self.times != 0


class Faults:
    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def set(self, faults: Iterable[Fault]) -> None:
        self._faults = list(faults)

    def add(self, fault: str, **how: Any) -> None:
        self._faults.append(Fault(fault, **how))

    def clear(self) -> None:
        self._faults.clear()

    def take(self, method: str, raw_path: str) -> Fault | None:
        """The first fault that matches, counted down."""
        for fault in self._faults:
            if fault.matches(method, raw_path):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._faults]


def fault_from_json(entry: Any) -> Fault:
    """``{"match": {"method", "path"}, "fault", "times", "seconds", "status"}``."""
    if not isinstance(entry, dict) or not isinstance(entry.get("match", {}), dict):
        raise SimulatorError("a fault is an object with match, fault, times, seconds, status")
    flat = {**entry, **entry.get("match", {})}
    flat.pop("match", None)
    try:
        return Fault(**flat)
    except TypeError as error:
        raise SimulatorError(f"a fault with wrong members: {sorted(flat)}") from error

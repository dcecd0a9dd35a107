"""What the simulator has been asked, for tests to look at afterwards."""

from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

KEPT_ENTRIES = 20_000  # a soak must not fill the memory


@dataclass(slots=True)
class RequestEntry:
    """``status`` stays 0 where the connection was dropped before an answer.

    ``operation_id`` is that of what the request began, answered or not.
    """

    method: str
    raw_path: str
    headers: list[tuple[str, str]]
    time: float
    body_size: int = 0
    body_sha256: str = ""
    status: int = 0
    who: str = ""
    fault: str = ""
    operation_id: str = ""


@dataclass(frozen=True, slots=True)
class OperationEntry:
    id: str
    service: str
    started: float
    who: str


class Record:
    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.requests: deque[RequestEntry] = deque(maxlen=KEPT_ENTRIES)
        self.operations: deque[OperationEntry] = deque(maxlen=KEPT_ENTRIES)

    def request(self, method: str, raw_path: str, headers: list[tuple[str, str]]) -> RequestEntry:
        entry = RequestEntry(method, raw_path, headers, self._now())
        self.requests.append(entry)
        return entry

    def clear(self) -> None:
        self.requests.clear()
        self.operations.clear()

    def as_json(self) -> dict[str, Any]:
        return {
            "requests": [asdict(entry) for entry in self.requests],
            "operations": [asdict(entry) for entry in self.operations],
        }

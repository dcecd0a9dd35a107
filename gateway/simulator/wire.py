"""How answers look on the wire: exact content types, text without a line end, JSON Error, 202."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.simulator.content import Bytes, Content
from gateway.simulator.errors import Refusal
from gateway.simulator.operations import Operation
from gateway.simulator.options import Options

PREFIX = "/rest/serverengine"
TEXT = "text/plain"
JSON = "application/json"
HTML = "text/html"
OCTETS = "application/octet-stream"
ZIP = "application/zip"

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """``content_type`` None: no such header, even with a body."""

    status: int = 200
    content: Content = field(default_factory=lambda: Bytes(b""))
    content_type: str | None = None
    headers: Headers = ()


class Denied(Exception):
    """Security's answer instead of the method's."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def text(value: object, content_type: str | None = TEXT, headers: Headers = ()) -> Answer:
    return Answer(200, Bytes(str(value).encode(errors="replace")), content_type, headers)


def json_answer(value: Any, status: int = 200, headers: Headers = ()) -> Answer:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate can come in as a JSON escape, but cannot go out as UTF-8.
    return Answer(status, Bytes(body.encode(errors="replace")), JSON, headers)


def true_or_false(value: bool) -> Answer:
    return text("true" if value else "false")


def empty(status: int = 200) -> Answer:
    return Answer(status)


def identifiers(numbers: Sequence[int]) -> Answer:
    return json_answer({"identifiers": list(numbers)})


def header_text(name: str) -> str:
    """A file name as it can stand in a header."""
    printable = "".join(letter if letter.isprintable() else "_" for letter in name)
    return printable.encode("ascii", "replace").decode()


def attachment(name: str) -> tuple[str, str]:
    """Unquoted, as the documents print it."""
    return ("Content-Disposition", f"attachment; filename={header_text(name)}")


def error(refusal: Refusal, headers: Headers = ()) -> Answer:
    """JSON Error."""
    details: dict[str, Any] = {"status": refusal.status, "message": refusal.message}
    if refusal.parameter is not None:
        details["parameter"] = refusal.parameter
    return json_answer({"error": details}, refusal.status, headers)


def accepted(operation: Operation, base: str, host: str, options: Options) -> Answer:
    """202: no body and no content type, the operation's id and three links."""
    origin = "" if options.link_target == "relative" else options.link_host or f"http://{host}"
    targets = {"progress": "getProgress", "result": "getResult", "cancel": "cancel"}
    links = [
        f'<{origin}{PREFIX}{base}/{method}/{operation.id}>; rel="{rel}"'
        for rel, method in targets.items()
    ]
    if options.link_form == "comma":
        links = [", ".join(links)]
    return Answer(202, headers=[("operationId", operation.id), *(("Link", link) for link in links)])


def content_type(answer: Answer, options: Options) -> str | None:
    if options.charset and answer.content_type in (TEXT, JSON):
        return f"{answer.content_type};charset=UTF-8"
    return answer.content_type

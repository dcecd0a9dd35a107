"""Operations as the simplified face shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.model import Kind
from gateway.operation import Operation, results_of_kind
from gateway.problems import InvalidParameters, Problem, UpstreamInvalidResponse
from gateway.rules.links import Origins, link

# What an operation may leave, and how a result names it: one id, or a list of them.
_ONE = {Kind.DATA_SET: "dataSet", Kind.JOB_SET: "jobSet", Kind.FILE: "file"}
_MANY = {Kind.CONTENT_SET: "contentSets"}
_MAPPING_FAILED = "error executing dm configuration"


@dataclass(frozen=True, slots=True)
class Views:
    """``origins`` says what must not be shown, and where the gateway is."""

    origins: Origins

    def operation(self, operation: Operation) -> dict[str, Any]:
        """The JSON of contract section 6."""
        return {
            "id": operation.id,
            "service": operation.service,
            "status": operation.status.value,
            "progress": operation.progress,
            "created": _timestamp(operation.created),
            "finished": None if operation.finished is None else _timestamp(operation.finished),
            "team": operation.team,
            "subject": operation.subject,
            "result": result_of(operation),
            "problem": self._problem(operation),
            "links": self.links(operation),
        }

    def links(self, operation: Operation) -> dict[str, str]:
        own = f"{self.origins.public}/api/v1/operations/{operation.id}"
        return {
            "self": own,
            "events": f"{own}/events",
            "result": f"{own}/result",
            "cancel": own,
        }

    def link_lines(self, operation: Operation) -> list[tuple[str, str]]:
        """The header lines by which a start leads to its operation."""
        links = self.links(operation)
        relations = {"self": "self", "progress": "events", "result": "result", "cancel": "cancel"}
        return [
            ("operationId", operation.id),
            *(("Link", link(links[name], relation)) for relation, name in relations.items()),
        ]

    def failure(self, operation: Operation) -> Problem:
        """Why a failed operation has no result, as the answer to a caller who waited for it."""
        recorded = operation.problem or {}
        detail = recorded.get("detail") or "OL Connect does not say why the operation failed."
        if self.origins.shows_upstream(detail):
            detail = "The operation failed at OL Connect."
        blamed = recorded.get("status") == 400 or _MAPPING_FAILED in detail.lower()
        kind = InvalidParameters if blamed else UpstreamInvalidResponse
        return kind(detail)

    def _problem(self, operation: Operation) -> dict[str, Any] | None:
        if operation.problem is None:
            return None
        problem = self.failure(operation)
        return {
            "code": problem.code,
            "title": problem.title,
            "status": problem.status,
            "detail": problem.detail,
        }


def result_of(operation: Operation) -> dict[str, Any] | None:
    """The ids an operation has left, once they are known."""
    for kind, name in _ONE.items():
        ids = results_of_kind(operation, kind)
        if ids and operation.leaves in (kind, None):
            return {name: _numbers(ids)[0]}
    for kind, name in _MANY.items():
        ids = results_of_kind(operation, kind)
        if ids and operation.leaves in (kind, None):
            return {name: _numbers(ids)}
    return None


def _numbers(ids: Sequence[str]) -> list[int | str]:
    return [int(id_) if id_.isdigit() else id_ for id_ in ids]


def _timestamp(seconds: float) -> str:
    """RFC 3339, in UTC, to the millisecond."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")

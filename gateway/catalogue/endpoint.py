"""What one row of the catalogue says about an endpoint of OL Connect."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto

from gateway.model import Kind

PREFIX = "/rest/serverengine"


class Role(StrEnum):
    """What an endpoint is for; ownership, caching and retries follow from it."""

    HANDSHAKE = auto()
    VERSION = auto()
    LOGIN = auto()
    READ = auto()
    LIST = auto()  # everybody's objects: filtered to the team's
    SEARCH = auto()  # as LIST, the kind of object named in the body
    WRITE = auto()
    UPLOAD = auto()
    DELETE = auto()
    PREVIEW = auto()  # renders at once; no operation
    START = auto()  # 202: begins an operation
    OPERATIONS = auto()  # the operations that are running
    PROGRESS = auto()
    RESULT = auto()
    CANCEL = auto()
    OPAQUE = auto()  # arguments nobody can check for ownership
    API = auto()  # answered by the gateway itself


Selected = Mapping[str, Kind]
"""Where ids stand in a JSON document: selector (``gateway.rules.documents``) to kind."""

TEXT = "$text"
"""In place of a selector: the whole answer is one id, or several, as plain text."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method on one path template of OL Connect's REST API, or of the gateway's own.

    ``path`` stands below ``PREFIX``. A path parameter's name says what it identifies:
    ``PARAMETERS`` has the kinds. ``query`` names query parameters that carry ids, ``body`` and
    ``answer`` where ids stand in the JSON of either. ``result`` is what the operation that a START
    begins leaves behind. ``facet`` marks an entity's name/value list, the only thing cached.
    """

    name: str
    method: str
    path: str
    role: Role
    query: Selected = field(default_factory=dict, hash=False)
    body: Selected = field(default_factory=dict, hash=False)
    answer: Selected = field(default_factory=dict, hash=False)
    result: Kind | None = None
    facet: str | None = None
    repeatable: bool = False

    @property
    def service(self) -> str:
        return self.name.partition(".")[0]

    @property
    def starts(self) -> bool:
        return self.role is Role.START

    @property
    def template(self) -> str:
        """The whole path as a caller writes it."""
        return self.path if self.role is Role.API else PREFIX + self.path


@dataclass(frozen=True, slots=True)
class Parameter:
    """A path parameter: what it names, and what a segment must look like to be one."""

    kind: Kind | None
    pattern: str


_NUMBER = r"[0-9]{1,19}"
_NAME = r"[^/]{1,255}"

PARAMETERS: Mapping[str, Parameter] = {
    "operationId": Parameter(Kind.OPERATION, r"[A-Za-z0-9._~-]{1,128}"),
    "configId": Parameter(Kind.PRESET, _NAME),
    "templateId": Parameter(Kind.PRESET, _NAME),
    "dmConfigId": Parameter(Kind.PRESET, _NAME),
    "jcConfigId": Parameter(Kind.PRESET, _NAME),
    "ocConfigId": Parameter(Kind.PRESET, _NAME),
    "fileId": Parameter(Kind.FILE, _NAME),
    "dataFileId": Parameter(Kind.FILE, _NAME),
    "dataRecordId": Parameter(Kind.DATA_RECORD, _NUMBER),
    "dataSetId": Parameter(Kind.DATA_SET, _NUMBER),
    "contentItemId": Parameter(Kind.CONTENT_ITEM, _NUMBER),
    "contentSetId": Parameter(Kind.CONTENT_SET, _NUMBER),
    "documentId": Parameter(Kind.DOCUMENT, _NUMBER),
    "documentSetId": Parameter(Kind.DOCUMENT_SET, _NUMBER),
    "jobId": Parameter(Kind.JOB, _NUMBER),
    "jobSegmentId": Parameter(Kind.JOB_SEGMENT, _NUMBER),
    "jobSetId": Parameter(Kind.JOB_SET, _NUMBER),
    "relPath": Parameter(None, r".+"),  # the one parameter that may hold slashes
    "args": Parameter(None, _NAME),
    "size": Parameter(None, _NAME),
    # of the simplified face
    "id": Parameter(None, _NAME),
    "name": Parameter(None, r"[A-Za-z0-9_-]{1,64}"),
    "entity": Parameter(None, r"[a-z-]{1,32}"),
    "asset": Parameter(None, r"[A-Za-z0-9._-]{1,64}"),
}

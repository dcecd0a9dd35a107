"""The File Store: managed files by number or name, the newest of a name winning."""

from dataclasses import dataclass

from gateway.simulator.content import Content
from gateway.simulator.errors import Refusal, missing

DATA_FILE = "DATA_FILE"
DATAMAPPER = "DATA_MINING_CONFIG"
TEMPLATE = "TEMPLATE"
JOB_PRESET = "JOB_CREATION_CONFIG"
OUTPUT_PRESET = "OUTPUT_CREATION_CONFIG"
OUTPUT = "OUTPUT"
FILE_TYPES = (DATA_FILE, DATAMAPPER, TEMPLATE, JOB_PRESET, OUTPUT_PRESET, OUTPUT)
LISTED_BY_DEFAULT = (TEMPLATE, DATAMAPPER, JOB_PRESET, OUTPUT_PRESET)

WORDS = {
    DATA_FILE: "Data File",
    DATAMAPPER: "Data Mapping Configuration",
    TEMPLATE: "Template",
    JOB_PRESET: "Job Creation Preset",
    OUTPUT_PRESET: "Output Creation Preset",
}


@dataclass(frozen=True, slots=True)
class ManagedFile:
    id: int
    name: str
    type: str
    content: Content
    persistent: bool
    created: float
    directory: bool = False


class FileStore:
    def __init__(self) -> None:
        self._files: dict[int, ManagedFile] = {}
        self._newest: dict[str, int] = {}
        self._last_id = 0

    def add(
        self,
        content: Content,
        *,
        file_type: str,
        name: str = "",
        persistent: bool = False,
        created: float = 0.0,
        directory: bool = False,
    ) -> ManagedFile:
        self._last_id += 1
        file = ManagedFile(self._last_id, name, file_type, content, persistent, created, directory)
        self._files[file.id] = file
        self._newest[name] = file.id
        return file

    def replace(self, old: ManagedFile, content: Content, *, directory: bool) -> ManagedFile:
        """The synchronisation that the vendor's own designer uses: same number, new content."""
        file = ManagedFile(
            old.id, old.name, old.type, content, old.persistent, old.created, directory
        )
        self._files[old.id] = file
        return file

    def find(self, id_or_name: str) -> ManagedFile | None:
        if id_or_name.isascii() and id_or_name.isdigit():
            number = int(id_or_name) if len(id_or_name) < 20 else 0
            if file := self._files.get(number):
                return file
        if not id_or_name or id_or_name not in self._newest:
            return None
        if file := self._files.get(self._newest[id_or_name]):
            return file
        # The newest was deleted: the one before it counts again.
        named = [file for file in self._files.values() if file.name == id_or_name]
        return named[-1] if named else None

    def get(self, id_or_name: str) -> ManagedFile:
        if file := self.find(id_or_name):
            return file
        raise Refusal(404, "Invalid Managed File ID", id_or_name)

    def need(self, id_or_name: object, file_type: str, *, status: int = 404) -> ManagedFile:
        """The file, if it is of that type; else the refusal that the workflow services give."""
        file = self.find(str(id_or_name))
        if file is None or file.type != file_type:
            raise missing(status, WORDS[file_type], id_or_name)
        return file

    def delete(self, file: ManagedFile) -> None:
        self._files.pop(file.id, None)

    def resources(self, types: tuple[str, ...]) -> list[ManagedFile]:
        return [file for file in self._files.values() if file.persistent and file.type in types]

    def clean_up(self, before: float) -> None:
        self._files = {
            number: file
            for number, file in self._files.items()
            if file.persistent or file.created >= before
        }

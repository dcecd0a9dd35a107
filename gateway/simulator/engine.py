"""The server's state behind its routes: files, entities, operations, and the clock they share."""

from collections.abc import Callable

from gateway.simulator.content import Content, Zeros
from gateway.simulator.entities import EntityStore
from gateway.simulator.files import DATA_FILE, OUTPUT_PRESET, FileStore, ManagedFile
from gateway.simulator.operations import Operation, Operations, Outcome
from gateway.simulator.options import Options
from gateway.simulator.preinstalled import install, zeros_preset
from gateway.simulator.record import OperationEntry, Record


class Engine:
    def __init__(self, options: Options, now: Callable[[], float]) -> None:
        self.options = options
        self.now = now
        self.record = Record(now)
        self.reset()

    def reset(self) -> None:
        """As after an installation: the preinstalled files and nothing else."""
        self.files = FileStore()
        self.entities = EntityStore()
        self.operations = Operations(self.now)
        install(self.files, self.options.managed_files, created=self.now())

    def sweep(self) -> None:
        """What a running server does by itself: end operations, clean up old things."""
        self.operations.settle()
        if self.options.clean_up_seconds:
            before = self.now() - self.options.clean_up_seconds
            self.files.clean_up(before)
            self.entities.clean_up(before)
            self.operations.clean_up(before)

    def start(
        self,
        service: str,
        work: Callable[[], Outcome],
        *,
        records: int,
        who: str,
        resources: dict[str, str] | None = None,
        sub_task: str = "",
        ids_in_headers: bool = False,
    ) -> Operation:
        """``records`` scales how long the operation takes."""
        operation = self.operations.start(
            service,
            work,
            seconds=self.options.operation_seconds + self.options.seconds_per_record * records,
            who=who,
            resources=resources or {},
            sub_task=sub_task,
            ids_in_headers=ids_in_headers,
        )
        self.record.operations.append(OperationEntry(operation.id, service, operation.started, who))
        return operation

    def add_file(
        self, content: Content, file_type: str, *, name: str = "", persistent: bool = False
    ) -> ManagedFile:
        return self.files.add(
            content, file_type=file_type, name=name, persistent=persistent, created=self.now()
        )

    def add_zero_file(self, name: str, size: int) -> ManagedFile:
        """A data file of ``size`` zero bytes that takes no room, for long downloads."""
        return self.add_file(Zeros(size), DATA_FILE, name=name, persistent=True)

    def add_zero_preset(self, name: str, size: int) -> ManagedFile:
        """An output preset whose result is ``size`` zero bytes, for long results."""
        return self.add_file(zeros_preset(size), OUTPUT_PRESET, name=name, persistent=True)

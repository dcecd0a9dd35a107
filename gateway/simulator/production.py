"""From records to output: content sets, job sets with all below them, and the files printed."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.simulator import drawing
from gateway.simulator.content import Bytes, Content, Zeros
from gateway.simulator.engine import Engine
from gateway.simulator.entities import Entity, Kind
from gateway.simulator.errors import Refusal
from gateway.simulator.files import OUTPUT, ManagedFile
from gateway.simulator.operations import Operation, Outcome
from gateway.simulator.templates import Template

Parameters = Mapping[str, Any]
SPOOL_FOLDER = "C:\\ProgramData\\Objectif Lune\\OL Connect\\spool"  # createOnly: no destination


def create_content_set(
    engine: Engine, template: ManagedFile, records: Iterable[Entity], *, context: str = "print"
) -> Entity:
    Template(template).section(context)
    return content_set_of(engine, records, template=template.name or str(template.id))


def content_set_of(engine: Engine, records: Iterable[Entity], *, template: str) -> Entity:
    content_set = engine.entities.add(Kind.CONTENT_SET, created=engine.now(), template=template)
    for record in records:
        engine.entities.add(Kind.CONTENT_ITEM, content_set, source=record.id, template=template)
    return content_set


def create_job_set(engine: Engine, content_sets: Iterable[Entity]) -> Entity:
    """A job per content set, a document per content item."""
    entities = engine.entities
    job_set = entities.add(Kind.JOB_SET, created=engine.now())
    for content_set in content_sets:
        job = entities.add(Kind.JOB, job_set)
        segment = entities.add(Kind.JOB_SEGMENT, job)
        document_set = entities.add(Kind.DOCUMENT_SET, segment)
        for item in content_set.children:
            entities.add(Kind.DOCUMENT, document_set, source=item)
    return job_set


def create_structured_job_set(engine: Engine, structure: Any) -> Entity:
    """From a JSON Job Set Structure; content items must exist."""
    entities = engine.entities
    job_set = entities.add(Kind.JOB_SET, created=engine.now())
    try:
        for job_part in structure["jobs"]:
            job = entities.add(Kind.JOB, job_set)
            for segment_part in job_part["segments"]:
                segment = entities.add(Kind.JOB_SEGMENT, job)
                for set_part in segment_part["documentsets"]:
                    document_set = entities.add(Kind.DOCUMENT_SET, segment)
                    _add_documents(engine, document_set, set_part["documents"])
    except (TypeError, KeyError, IndexError) as error:
        entities.delete(job_set)
        text = "JSON Job Set Structure invalid or missing required structure"
        raise Refusal(500, text) from error
    return job_set


def _add_documents(engine: Engine, document_set: Entity, documents: Any) -> None:
    for part in documents:
        number = part["documentpages"][0]["contentitem"]
        item = engine.entities.get(Kind.CONTENT_ITEM, number, status=engine.options.missing_entity)
        engine.entities.add(Kind.DOCUMENT, document_set, source=item.id)


def documents_of(engine: Engine, entity: Entity) -> list[Entity]:
    """All documents below a job set, a job, a segment or a document set."""
    if entity.kind == Kind.DOCUMENT:
        return [entity]
    children = engine.entities.children(entity)
    return [document for child in children for document in documents_of(engine, child)]


def page_of(engine: Engine, document: Entity) -> list[str]:
    item = engine.entities.find(Kind.CONTENT_ITEM, document.source)
    record = item and engine.entities.find(Kind.DATA_RECORD, item.source)
    return record_lines(record) if record else ["(deleted data record)"]


def record_lines(record: Entity) -> list[str]:
    return [f"{name}: {value}" for name, value in record.values.items()]


def create_output(
    engine: Engine,
    preset: ManagedFile,
    jobs: Iterable[Entity],
    *,
    create_only: bool = False,
    folder: str = "",
) -> Outcome:
    documents = [document for job in jobs for document in documents_of(engine, job)]
    stem = (preset.name or f"preset-{preset.id}").rpartition(".")[0] or f"preset-{preset.id}"
    return Outcome(
        kind="Output",
        files=tuple(_printed(engine, preset, stem, documents)),
        folder=SPOOL_FOLDER if create_only else folder or engine.options.output_folder,
    )


def _printed(
    engine: Engine, preset: ManagedFile, stem: str, documents: list[Entity]
) -> list[tuple[str, Content]]:
    hints = preset.content.read(4096)
    if zeros := re.search(rb'<preset zeros="(\d+)"', hints):
        return [(f"{stem}.bin", Zeros(int(zeros[1])))]
    pages = [(document.id, page_of(engine, document)) for document in documents]
    if b'separation="document"' in hints:
        return [(f"{stem}-{number}.pdf", Bytes(drawing.pdf([page]))) for number, page in pages]
    return [(f"{stem}.pdf", Bytes(drawing.pdf(page for _, page in pages)))]


def paths(outcome: Outcome) -> list[str]:
    return [f"{outcome.folder}\\{name}" for name, _ in outcome.files]


def managed_output(engine: Engine, operation: Operation, outcome: Outcome) -> ManagedFile:
    """The output as a managed file, or as a managed directory if it is several; made once."""
    if operation.managed_file and (file := engine.files.find(str(operation.managed_file))):
        return file
    name, content = outcome.files[0]
    if several := len(outcome.files) > 1:
        name = f"{operation.id}.zip"
        content = Bytes(drawing.archive((each, part.read()) for each, part in outcome.files))
    file = engine.files.add(
        content, file_type=OUTPUT, name=name, created=engine.now(), directory=several
    )
    operation.managed_file = file.id
    return file

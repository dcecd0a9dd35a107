"""The chain from a data file to output; where it stops decides what comes out."""

import re
from dataclasses import dataclass
from typing import Any

from gateway.simulator import data, production
from gateway.simulator.engine import Engine
from gateway.simulator.entities import Entity, Kind
from gateway.simulator.errors import Refusal
from gateway.simulator.files import ManagedFile
from gateway.simulator.operations import Outcome

RANGE_PART = re.compile(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*")


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps wanted; what a step does not need stays empty."""

    data_file: ManagedFile | None = None
    datamapper: ManagedFile | None = None
    record_ids: tuple[Any, ...] = ()
    template: ManagedFile | None = None
    create_jobs: bool = False
    job_preset: ManagedFile | None = None
    job_ids: tuple[Any, ...] = ()
    output_preset: ManagedFile | None = None
    create_only: bool = False
    folder: str = ""
    print_range: tuple[tuple[int, int], ...] = ()
    keep_data_set: bool = True

    def resources(self) -> dict[str, str]:
        files = {
            "data": self.data_file,
            "datamining": self.datamapper,
            "template": self.template,
            "jobcreation": self.job_preset,
            "outputcreation": self.output_preset,
        }
        return {step: file.name or str(file.id) for step, file in files.items() if file}


def missing_input(parameter: object) -> Refusal:
    return Refusal(400, "Required Input resource/file not found in File Store", str(parameter))


def print_range(text: str) -> tuple[tuple[int, int], ...]:
    """``1-3,7`` as pairs of first and last record."""
    if not text:
        return ()
    parts = [RANGE_PART.fullmatch(part) for part in text.split(",")]
    if not all(parts):
        raise Refusal(500, "Invalid print range", text)
    return tuple((int(part[1]), int(part[2] or part[1])) for part in parts if part)


def estimated_records(plan: Plan) -> int:
    return data.estimated_records(plan.data_file) if plan.data_file else len(plan.record_ids)


def run(engine: Engine, plan: Plan) -> Outcome:
    ids: dict[str, int] = {}
    kind, entity, data_set = "", None, None
    if plan.datamapper and plan.data_file:
        entity = data_set = data.map_data(engine, plan.datamapper, plan.data_file)
        kind, ids["X-Data-Set-ID"] = "Data-Set-ID", entity.id
    if plan.template:
        records = _records(engine, plan, data_set)
        entity = production.create_content_set(engine, plan.template, records)
        kind, ids["X-Content-Set-ID"] = "Content-Set-ID", entity.id
    # Output needs jobs, so they are made even where no step asks for them.
    if entity and entity.kind == Kind.CONTENT_SET and (plan.create_jobs or plan.output_preset):
        entity = production.create_job_set(engine, [entity])
        kind, ids["X-Job-Set-ID"] = "Job-Set-ID", entity.id
    if plan.output_preset:
        outcome = _output(engine, plan, entity, ids)
    elif entity is None or (plan.create_jobs and entity.kind != Kind.JOB_SET):
        raise Refusal(500, "JSON All-In-One Configuration invalid: a step has no input")
    else:
        outcome = Outcome(kind, str(entity.id), ids=ids)
    if data_set and not plan.keep_data_set and kind != "Data-Set-ID":
        engine.entities.delete(data_set)
    return outcome


def _output(engine: Engine, plan: Plan, entity: Entity | None, ids: dict[str, int]) -> Outcome:
    jobs = [engine.entities.get(Kind.JOB, number) for number in plan.job_ids]
    if entity and entity.kind == Kind.JOB_SET:
        jobs += engine.entities.children(entity)
    if not jobs or plan.output_preset is None:
        raise Refusal(500, "JSON All-In-One Configuration invalid: a step has no input")
    output = production.create_output(
        engine, plan.output_preset, jobs, create_only=plan.create_only, folder=plan.folder
    )
    return Outcome(output.kind, files=output.files, folder=output.folder, ids=ids)


def _records(engine: Engine, plan: Plan, data_set: Entity | None) -> list[Entity]:
    records = engine.entities.children(data_set) if data_set else []
    records += [engine.entities.get(Kind.DATA_RECORD, number) for number in plan.record_ids]
    if not plan.print_range:
        return records
    return [
        record
        for number, record in enumerate(records, 1)
        if any(first <= number <= last for first, last in plan.print_range)
    ]

"""The caller, and entities: what is read and written at once."""

from collections.abc import Mapping

from gateway.api.openapi.parts import (
    JSON,
    MERGE_PATCH,
    OBJECT,
    READ_BODY,
    Answer,
    Body,
    Described,
)

_YOU = "Caller"
_VALUES = "Properties and metadata"
_JOBS = "Jobs"

_EXAMPLE = {"agent": "007", "start": "2015-01-01 00:00:00T-0500"}
_READ_HEADERS = ("ETag", "Cache-Status", "Age")
_UNCHANGED = Answer(304, "Unchanged since the ETag in If-None-Match.", headers=_READ_HEADERS)


def _written(facet: str) -> Answer:
    return Answer(200, f"The {facet} as they are now.", {JSON: "Values"}, ("ETag",), _EXAMPLE)


def _facet(facet: str) -> Mapping[str, Described]:
    return {
        f"api.get_{facet}": Described(
            _VALUES,
            f"Read an entity's {facet}",
            f"All {facet} as one object, sorted by name; if OL Connect lists a name twice, the "
            "last value counts. Answered from the cache where it can be; `Cache-Control: "
            "no-cache` asks OL Connect again.",
            (
                Answer(200, f"The {facet}.", {JSON: "Values"}, _READ_HEADERS, _EXAMPLE),
                _UNCHANGED,
            ),
            ("If-None-Match", "Cache-Control"),
            problems=("unknown_endpoint", *OBJECT),
        ),
        f"api.replace_{facet}": Described(
            _VALUES,
            f"Replace an entity's {facet}",
            "Values must be strings; nothing is converted.",
            (_written(facet),),
            ("If-Match",),
            Body("Values", (JSON,), {"replace": _EXAMPLE}),
            ("precondition_failed", "unknown_endpoint", *READ_BODY, *OBJECT),
        ),
        f"api.patch_{facet}": Described(
            _VALUES,
            f"Change some of an entity's {facet}",
            "A merge patch (RFC 7396): null removes a name. What is there is read from OL Connect "
            "for it, and no other change by way of this API comes in between.",
            (_written(facet),),
            ("If-Match",),
            Body(
                "ValuesPatch",
                (MERGE_PATCH, JSON),
                {"set and remove": {"agent": "007", "end": None}},
            ),
            ("precondition_failed", "unknown_endpoint", *READ_BODY, *OBJECT),
        ),
    }


OBJECTS: Mapping[str, Described] = {
    "api.me": Described(
        _YOU,
        "Who am I, and what may I do?",
        "The caller as the token says, the caller's teams with their rights and what is left of "
        "their limits at this moment.",
        (
            Answer(
                200,
                "The caller.",
                {JSON: "Me"},
                example={
                    "subject": "jane",
                    "issuer": "https://id.example.com/realms/corp",
                    "expires": 1767225600,
                    "teams": [
                        {
                            "name": "billing",
                            "objects": "own",
                            "pipelines": ["invoice"],
                            "endpoints": ["job_creation.process", "job_entity.get_properties"],
                            "limits": {
                                "requests": {"perSecond": 50.0, "burst": 100, "remaining": 99},
                                "runningOperations": {"limit": 10, "remaining": 10},
                            },
                        }
                    ],
                },
            ),
        ),
    ),
    "api.get_job": Described(
        _JOBS,
        "Read a job's segments",
        "The ids of the job segments in a job.",
        (Answer(200, "The job.", {JSON: "Job"}, example={"id": 1, "segments": [1]}),),
        problems=OBJECT,
    ),
    "api.get_job_contents": Described(
        _JOBS,
        "Read what a job was made of",
        "Its content items, each with the data record it came from.",
        (
            Answer(
                200,
                "The content items.",
                {JSON: "JobContents"},
                example={"items": [{"item": 1, "record": 2}]},
            ),
        ),
        problems=OBJECT,
    ),
    "api.get_jobs_properties": Described(
        _JOBS,
        "Read the properties of many jobs",
        "At most 500. A job that cannot be read stands under `problems` instead.",
        (
            Answer(
                200,
                "The properties by job id.",
                {JSON: "JobsValuesRead"},
                example={"1": _EXAMPLE, "2": {}},
            ),
        ),
        ("ids", "Cache-Control"),
        problems=("not_allowed", "invalid_parameters"),
    ),
    "api.update_jobs_properties": Described(
        _JOBS,
        "Write properties of many jobs",
        "At most 500, in one call to OL Connect. The named properties are set; those that are "
        "not named stay as they are. One job that is not the team's refuses the whole.",
        (Answer(200, "All were written.", {JSON: "Updated"}, example={"updated": [1, 2]}),),
        body=Body("JobsValues", (JSON,), {"two jobs": {"1": _EXAMPLE, "2": {"agent": "008"}}}),
        problems=(*READ_BODY, *OBJECT),
    ),
    **_facet("properties"),
    **_facet("metadata"),
}

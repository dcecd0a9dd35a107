"""Pipelines, jobs, outputs, and the operations that they begin."""

from collections.abc import Mapping

from gateway.api.openapi.parts import ANY, JSON, OBJECT, START, Answer, Body, Described

_PIPELINES = "Pipelines"
_CREATION = "Creation"
_OPERATIONS = "Operations"
_EVENTS = "text/event-stream"

_ID = "6f1c2d3e"
_PATH = f"/api/v1/operations/{_ID}"
OPERATION = {
    "id": _ID,
    "service": "job_creation",
    "status": "running",
    "progress": 40,
    "created": "2026-01-01T12:00:00Z",
    "finished": None,
    "team": "billing",
    "subject": "jane",
    "result": None,
    "problem": None,
    "links": {
        "self": _PATH,
        "events": f"{_PATH}/events",
        "result": f"{_PATH}/result",
        "cancel": _PATH,
    },
}
_ENDED = {
    **OPERATION,
    "status": "succeeded",
    "progress": 100,
    "finished": "2026-01-01T12:00:05Z",
    "result": {"jobSet": 123},
}
_BEGUN = Answer(
    202,
    "It has begun.",
    {JSON: "Operation"},
    ("Location", "Retry-After", "Link", "operationId"),
    OPERATION,
)
_STARTS = (
    "With `Prefer: wait=N` the answer is the result itself if it is there within N seconds. With "
    "an `Idempotency-Key` a repetition starts nothing and is answered like the first."
)
_START_PARAMETERS = ("Prefer", "Idempotency-Key")


def _waited(description: str, content: Mapping[str, str | None]) -> Answer:
    example = {"jobSet": 123} if JSON in content else None
    return Answer(200, description, content, ("Preference-Applied", "operationId"), example)


RUNS: Mapping[str, Described] = {
    "api.list_pipelines": Described(
        _PIPELINES,
        "List the pipelines you may run",
        "Those that one of the caller's teams may run, and which teams those are.",
        (
            Answer(
                200,
                "The pipelines.",
                {JSON: "Pipelines"},
                example={
                    "pipelines": [
                        {"name": "invoice", "contentType": "application/pdf", "teams": ["billing"]}
                    ]
                },
            ),
        ),
    ),
    "api.run_pipeline": Described(
        _PIPELINES,
        "Make a document of a data file",
        f"The body is the data file, of any media type. {_STARTS}",
        (_BEGUN, _waited("The document, if it was waited for.", {ANY: None})),
        ("filename", *_START_PARAMETERS),
        Body(None, (JSON, ANY), {"one record": [{"Name": "Jane"}]}),
        ("not_found", "unsupported_media_type", *START),
    ),
    "api.create_jobs": Described(
        _CREATION,
        "Create jobs of content sets",
        _STARTS,
        (_BEGUN, _waited("The job set, if it was waited for.", {JSON: "Result"})),
        _START_PARAMETERS,
        Body(
            "JobsRequest",
            (JSON,),
            {
                "with runtime parameters": {
                    "preset": "Invoices.OL-jobpreset",
                    "contentSets": [1],
                    "parameters": {"FirstName": "Benjamin"},
                }
            },
        ),
        ("not_found", "unsupported_media_type", *START),
    ),
    "api.create_output": Described(
        _CREATION,
        "Create the output of a job set, or of some jobs",
        _STARTS,
        (_BEGUN, _waited("The document, if it was waited for.", {ANY: None})),
        _START_PARAMETERS,
        Body(
            "OutputRequest",
            (JSON,),
            {
                "of a job set": {
                    "preset": "Print-PDF.OL-outputpreset",
                    "jobSet": 1,
                    "createOnly": True,
                },
                "of some jobs": {"preset": "Print-PDF.OL-outputpreset", "jobs": [1]},
            },
        ),
        ("not_found", "unsupported_media_type", *START),
    ),
    "api.list_operations": Described(
        _OPERATIONS,
        "List the team's operations",
        "Newest first; ended ones for 24 hours.",
        (
            Answer(
                200,
                "The operations.",
                {JSON: "Operations"},
                example={"operations": [OPERATION, _ENDED]},
            ),
        ),
        ("status", "limit"),
        problems=("invalid_parameters",),
    ),
    "api.get_operation": Described(
        _OPERATIONS,
        "Read an operation",
        "With `Prefer: wait=N` the answer comes when it ends, or after N seconds.",
        (
            Answer(
                200,
                "The operation.",
                {JSON: "Operation"},
                ("Retry-After", "Preference-Applied"),
                _ENDED,
            ),
        ),
        ("Prefer",),
        problems=OBJECT,
    ),
    "api.get_operation_events": Described(
        _OPERATIONS,
        "Watch an operation",
        "Server-sent events: `progress`, then one of `succeeded`, `failed`, `canceled`; the data "
        "of each is the Operation.",
        (
            Answer(200, "The events.", {_EVENTS: None}),
            Answer(204, "It has ended and Last-Event-ID says that you saw it: do not come back."),
        ),
        ("Last-Event-ID",),
        problems=OBJECT,
    ),
    "api.get_operation_result": Described(
        _OPERATIONS,
        "Fetch an operation's result",
        "The document, or the ids of what the operation left behind.",
        (
            Answer(
                200,
                "The result.",
                {JSON: "Result", ANY: None},
                ("Content-Disposition",),
                {"jobSet": 123},
            ),
        ),
        problems=("operation_running", *OBJECT),
    ),
    "api.cancel_operation": Described(
        _OPERATIONS,
        "Cancel an operation",
        "What has ended already stays as it ended.",
        (Answer(202, "The operation.", {JSON: "Operation"}, ("Location",), OPERATION),),
        problems=OBJECT,
    ),
}

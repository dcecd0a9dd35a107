"""Named All-In-One runs: a data file in, an Operation or the document out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from pydantic_core import to_json

from gateway import requests
from gateway.answers import Answer
from gateway.api import Handler, datafile
from gateway.api.datafile import DataFile
from gateway.api.starting import Starting, record
from gateway.bodies import CallerBody
from gateway.catalogue import ENDPOINTS
from gateway.connect import Connect
from gateway.front import Passage
from gateway.learning import Learning, Told, problem_of
from gateway.model import Kind
from gateway.operation import Operation
from gateway.problems import (
    InvalidParameters,
    NotFound,
    Problem,
    UnsupportedMediaType,
    UpstreamInvalidResponse,
)
from gateway.rules import documents, paths
from gateway.settings import Pipeline
from gateway.starts import Start, checked_key, fingerprint
from gateway.upstream.call import Call

_UPLOAD = ENDPOINTS["file_store.upload_data_file"]
_SUBMIT = ENDPOINTS["all_in_one.process"]
_FILENAME_CHARACTERS = 255
_ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Pipelines:
    starting: Starting
    connect: Connect
    learning: Learning
    max_body_bytes: int

    def handlers(self) -> Mapping[str, Handler]:
        return {"api.run_pipeline": self.run}

    async def run(self, passage: Passage) -> Answer:
        """Upload the body and submit the run; neither is done again for the same key."""
        name = passage.parameters["name"]
        pipeline = passage.regime.settings.pipelines.get(name)
        if pipeline is None:
            raise NotFound("There is no such pipeline.", parameter="name")
        await self.starting.admit(passage)
        filename = _filename(passage)
        key = checked_key(passage.header("Idempotency-Key"))
        upload = _upload_call(passage, filename)
        data = await self._data(passage, upload, key)
        submit = Call("POST", _SUBMIT.template)

        async def prepare() -> None:
            id_ = await self._upload(passage, upload)
            _submit(passage, submit, configuration(pipeline, id_))

        operation = _record(passage, name, pipeline, filename)
        print_ = "" if key is None else _fingerprint(passage, data)
        start = Start(operation, submit, key, print_, prepare, data)
        return await self.starting.begin(passage, start, _refused)

    async def _data(self, passage: Passage, upload: Call, key: str | None) -> DataFile:
        if passage.request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise UnsupportedMediaType(
                "Send the data file without Content-Encoding.", parameter="Content-Encoding"
            )
        body = CallerBody(passage.request, passage.exchange, self.max_body_bytes)
        body.check_length()
        # With a key, whether it is the same file has to be known before anything is sent.
        data = await (datafile.streamed(body, upload) if key is None else datafile.whole(body))
        upload.body = data.pieces
        if data.length is not None:
            upload.headers.append(("Content-Length", str(data.length)))
        return data

    async def _upload(self, passage: Passage, call: Call) -> int:
        """The managed file's id. Raises InvalidParameters for what OL Connect does not take."""
        team = passage.team
        async with self.learning.uploading(_UPLOAD, team, call.raw_query):
            told = await self._send(passage, call)
            ids = documents.ids_in_text(told.body or b"")
            if len(ids) != 1:
                raise UpstreamInvalidResponse("OL Connect did not name the uploaded file.")
            await self.learning.learn(team, told)
        return int(ids[0])

    async def _send(self, passage: Passage, call: Call) -> Told:
        team = passage.team
        try:
            async with self.connect.ask(
                call, team=team.name, credential=team.credential, repeatable=False
            ) as response:
                body = await self.connect.upstream.read(response, _ANSWER_BYTES)
                told = Told(_UPLOAD, {}, call.raw_query, response.status, response.headers, body)
        finally:
            passage.exchange.upstream_seconds += call.seconds
        if told.succeeded:
            return told
        message = problem_of(told.status, body)["detail"] or "OL Connect refused the data file."
        if told.status == 400:
            raise InvalidParameters(message, parameter="body")
        raise UpstreamInvalidResponse(message)


def configuration(pipeline: Pipeline, data_file: int) -> dict[str, Any]:
    """OL Connect's JSON All-In-One Configuration."""
    parameters = pipeline.parameters
    job: dict[str, Any] = {}
    if pipeline.job_preset is not None:
        job = _step(pipeline.job_preset, parameters.job)
    elif parameters.job:
        job = {"parameters": dict(parameters.job)}
    return {
        "datamining": {
            "identifier": data_file,
            **_step(pipeline.data_mapping, parameters.data_mapping),
        },
        "contentcreation": _step(pipeline.template, parameters.template),
        "jobcreation": job,
        "outputcreation": {**_step(pipeline.output_preset, {}), "createOnly": True},
    }


def _step(preset: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    config = int(preset) if preset.isascii() and preset.isdigit() else preset
    return {"config": config} | ({"parameters": dict(parameters)} if parameters else {})


def _filename(passage: Passage) -> str | None:
    """Raises InvalidParameters, MalformedRequest."""
    names = paths.query_values(passage.raw_query, "filename")
    if not names:
        return None
    if len(names) > 1 or not names[0].strip() or len(names[0]) > _FILENAME_CHARACTERS:
        raise InvalidParameters(
            f"filename must be given once, with 1 to {_FILENAME_CHARACTERS} characters.",
            parameter="filename",
        )
    return names[0]


def _upload_call(passage: Passage, filename: str | None) -> Call:
    query = {"persistent": "false"} | ({"filename": filename} if filename else {})
    lines = [
        ("Content-Type", "application/octet-stream"),
        requests.IDENTITY,
        *requests.identifying_lines(passage.exchange),
    ]
    return Call("POST", _UPLOAD.template, urlencode(query, quote_via=quote), lines)


def _submit(passage: Passage, call: Call, document: dict[str, Any]) -> None:
    call.body = to_json(document)
    call.headers = [
        ("Content-Type", "application/json"),
        requests.IDENTITY,
        *requests.identifying_lines(passage.exchange),
    ]


def _record(passage: Passage, name: str, pipeline: Pipeline, filename: str | None) -> Operation:
    presets = (pipeline.data_mapping, pipeline.template, pipeline.job_preset)
    named = tuple(preset for preset in (*presets, pipeline.output_preset) if preset is not None)
    return replace(
        record(passage, _SUBMIT, Kind.FILE, named),
        pipeline=name,
        filename=filename,
        content_type=pipeline.content_type,
        create_only=True,
    )


def _fingerprint(passage: Passage, data: DataFile) -> str:
    target = f"{passage.path}?{passage.raw_query}"
    return fingerprint("POST", target, passage.header("Content-Type") or "", data.digest)


def _refused(status: int, message: str) -> Problem:
    # Nothing of the configuration is the caller's.
    return UpstreamInvalidResponse(f"OL Connect refused the pipeline: {message}")

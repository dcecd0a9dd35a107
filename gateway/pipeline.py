"""The journey of a request through the gateway, in the order it happens.

form → identify → recognise → authorise → limit (``front``) → own → inspect the body → start,
recall or ask OL Connect → learn → filter or relay. The order never varies, so it stands here as
order.
"""

from pydantic_core import to_json

from gateway import answers, learning, requests
from gateway.bodies import READ_LIMIT, CallerBody
from gateway.catalogue import Role
from gateway.connect import Connect
from gateway.facets import Facets
from gateway.front import Passage
from gateway.learning import Learning, Told
from gateway.ownership import Ownership
from gateway.problems import (
    InvalidParameters,
    MalformedRequest,
    Problem,
    UpstreamInvalidResponse,
)
from gateway.relay import relay
from gateway.requests import Asked
from gateway.rules import documents, headers, ids, operations, policy, progress
from gateway.rules.links import Origins
from gateway.starts import Starts
from gateway.upstream.heads import is_simple
from gateway.upstream.reply import Reply

TEXT = (("Content-Type", "text/plain"),)
_OF_THE_WHOLE_LIST = frozenset({"etag", "last-modified"})


class Journey:
    """The transparent face: OL Connect's REST API, method for method."""

    def __init__(
        self,
        *,
        connect: Connect,
        ownership: Ownership,
        learning: Learning,
        starts: Starts,
        facets: Facets,
        origins: Origins,
        max_body_bytes: int,
    ) -> None:
        self._connect = connect
        self._ownership = ownership
        self._learning = learning
        self._starts = starts
        self._facets = facets
        self._origins = origins
        self._max_body_bytes = max_body_bytes

    async def handle(self, passage: Passage) -> answers.Answer:
        """From the moment a request was let in until its answer is on its way."""
        earlier = passage.request.earlier
        if earlier is not None and earlier.problem is not None:
            raise earlier.problem
        role = passage.endpoint.role
        starts = role is Role.START and not requests.is_synchronous(passage)
        if starts:
            await self._admit(passage)
        await self._ownership.require(passage.team, passage.named)
        asked = await self._inspect(passage, starts=starts)
        if starts:
            return await self._start(passage, asked)
        if passage.endpoint.facet is not None:
            return await self._facets.handle(passage, asked)
        if role is Role.PROGRESS and await self._learning.has_ended(
            passage.endpoint.service, passage.parameters["operationId"]
        ):
            return answers.whole(passage.exchange, 200, TEXT, progress.DONE)
        if role is Role.DELETE:
            return await self._facets.delete(passage.named, lambda: self._ask(passage, asked))
        if role is Role.UPLOAD:
            async with self._learning.uploading(passage.endpoint, passage.team, passage.raw_query):
                return await self._ask(passage, asked)
        return await self._ask(passage, asked)

    async def _admit(self, passage: Passage) -> None:
        team, key = passage.team, passage.header("Idempotency-Key")
        await self._starts.admit(team.name, team.settings.limits, key)

    async def _inspect(self, passage: Passage, *, starts: bool) -> Asked:
        """Read the body where objects or presets stand in it, and judge by them as by the path."""
        body = CallerBody(passage.request, passage.exchange, self._max_body_bytes)
        if not body.exists and not requests.reads_body(passage):
            return Asked(body)
        body.check_length()
        asked = await requests.read(passage, body)
        if policy.names_presets_in_body(passage.endpoint):
            presets, first = ids.presets([*passage.named, *asked.things]), passage.team
            passage.choose(policy.choose(passage.teams, passage.endpoint, presets))
            if starts and passage.team is not first:
                await self._admit(passage)
            # Another of the caller's teams may make the request than the path alone let in.
            await self._ownership.require(passage.team, passage.named)
        requests.scrutinise(passage, asked)
        passage.exchange.things += asked.things
        await self._ownership.require(passage.team, asked.things)
        if asked.content is None:
            await body.begin()
        return asked

    async def _start(self, passage: Passage, asked: Asked) -> answers.Answer:
        exchange = passage.exchange
        start = await requests.start_of(passage, asked)
        try:
            answer = await self._starts.begin(start, passage.team.settings.limits)
        finally:
            exchange.upstream_seconds += start.call.seconds
        exchange.source = "gateway" if answer.replayed else "upstream"
        if answer.operation is not None:
            exchange.operation_id = answer.operation.id
        return answers.whole(exchange, answer.status, answer.lines, answer.body or None)

    async def _ask(self, passage: Passage, asked: Asked) -> answers.Answer:
        """The plain case: one call, one answer, passed on byte for byte."""
        exchange, team = passage.exchange, passage.team
        understood = learning.is_understood(team, passage.endpoint)
        call = requests.call_of(passage, asked, must_read_answer=understood)
        try:
            async with self._connect.ask(
                call,
                team=team.name,
                credential=team.credential,
                repeatable=requests.is_repeatable(passage, asked),
            ) as response:
                exchange.upstream_seconds += call.seconds
                exchange.source = "upstream"
                return await self._answer(passage, asked, response)
        except Problem:
            exchange.source = "gateway"
            raise

    async def _answer(self, passage: Passage, asked: Asked, response: Reply) -> answers.Answer:
        exchange, upstream = passage.exchange, self._connect.upstream
        lines = headers.for_caller(response.raw_headers, self._origins, passage.path)
        filtered = learning.is_filtered(passage.team, passage.endpoint)
        if filtered and response.status == 200:
            # These would tell when everybody's list changes, and how long it is.
            lines = [line for line in lines if line[0].lower() not in _OF_THE_WHOLE_LIST]
            if passage.request.method == "HEAD":
                return answers.whole(exchange, response.status, lines, None)
        if passage.endpoint.starts:
            await self._claim(passage, asked, response)
        body = None
        if passage.request.method != "HEAD" and learning.is_read(
            passage.team, passage.endpoint, response.status, response.content_length
        ):
            body = await upstream.read(response, READ_LIMIT)
        has_ended = await self._learning.learn(
            passage.team,
            Told(
                passage.endpoint,
                passage.parameters,
                passage.raw_query,
                response.status,
                response.headers,
                body,
            ),
        )
        if has_ended:
            return answers.whole(exchange, 200, TEXT, progress.DONE)
        if body is None:
            exchange.passed_on = not asked.body.exists and is_passed_on(passage, response)
            return await relay(passage.request, exchange, upstream, response, lines)
        if response.status == 200 and filtered:
            body = await self._filtered(passage, asked, body)
        return answers.whole(exchange, response.status, lines, body)

    async def _claim(self, passage: Passage, asked: Asked, response: Reply) -> None:
        """A start that was to answer with its result may have begun an operation all the same."""
        id_ = operations.id_in(response.raw_headers)
        if id_ is not None:
            passage.exchange.operation_id = id_
            await self._starts.claim(requests.operation_of(passage, asked), id_)

    async def _filtered(self, passage: Passage, asked: Asked, body: bytes) -> bytes:
        """A list without what is not the team's. Raises UpstreamInvalidResponse."""
        try:
            document = documents.read(body)
            selected = ids.listed(passage.endpoint, requests.kind_sought(passage, asked))
            return to_json(await self._ownership.only(passage.team, selected, document))
        except (MalformedRequest, InvalidParameters) as error:
            raise UpstreamInvalidResponse("OL Connect's list cannot be read.") from error


def is_passed_on(passage: Passage, response: Reply) -> bool:
    """Whether a read's answer is small, and the caller's alone to understand."""
    endpoint = passage.endpoint
    if passage.request.method != "GET" or not endpoint.repeatable:
        return False
    if not is_simple(response.status, response.headers):
        return False
    return not learning.is_understood(passage.team, endpoint)

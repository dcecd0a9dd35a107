"""What is told to whom, before anybody has said who they are."""

import pytest

from tests.support.stage import Stage
from tests.support.wire import dial, head


async def _refusal(stage: Stage, path: str, method: str = "GET") -> tuple[int, str | None]:
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head(method, path))
        answer = await wire.answer()
    return answer.status, answer.code


@pytest.mark.parametrize(
    "path", ["/metrics", "/docs/", "/favicon.ico", "/rest", "/rest/serverenginex", "/api/v2/me"]
)
async def test_what_is_of_neither_face_is_404_for_everybody(stage: Stage, path: str) -> None:
    assert await _refusal(stage, path) == (404, "unknown_endpoint")
    assert await _refusal(stage, path, "DELETE") == (404, "unknown_endpoint")


@pytest.mark.parametrize(
    "path", ["/rest/serverengine", "/rest/serverengine/x", "/api/v1", "/api/v1/x"]
)
async def test_below_the_faces_one_must_say_first_who_one_is(stage: Stage, path: str) -> None:
    assert await _refusal(stage, path) == (401, "token_missing")

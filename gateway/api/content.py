"""JSON bodies of the simplified face: their media type, their size, what they say."""

from typing import Any

from gateway.bodies import CallerBody
from gateway.front import Passage
from gateway.problems import UnsupportedMediaType
from gateway.rules import documents

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

_LIMIT_BYTES = 4 * 1024 * 1024


async def read(passage: Passage, *accepted: str) -> Any:
    """The body's JSON value; without a ``Content-Type`` it is taken for JSON.

    Raises UnsupportedMediaType, BodyTooLarge, MalformedRequest.
    """
    media_type = (passage.header("Content-Type") or JSON).partition(";")[0].strip().lower()
    if media_type not in accepted:
        headers = {"Accept-Patch": ", ".join(accepted)} if MERGE_PATCH in accepted else {}
        raise UnsupportedMediaType(
            f"Send the body as {' or '.join(accepted)}.", parameter="Content-Type", headers=headers
        )
    return documents.read(await CallerBody(passage.request, passage.exchange, _LIMIT_BYTES).read())

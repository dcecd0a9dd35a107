"""The express lane: plain requests answered where their bytes arrive (docs/express.md)."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Unpack

from aiohttp.base_protocol import BaseProtocol

from gateway.express.heads import Heads
from gateway.express.lane import Answerer, Lane
from gateway.inbound import ParserLimits

if TYPE_CHECKING:
    from gateway.server import Connection

__all__ = ["Lane", "lanes"]


def lanes(
    answerer: Answerer, fits: Callable[[str, str], bool], **limits: Unpack[ParserLimits]
) -> "Callable[[Connection], Lane]":
    """What makes the lane of each connection of one listener in the running loop.

    ``fits`` says, by method and target, which requests are for it; ``limits`` are those of the
    parser that aiohttp uses on the same listener.
    """
    heads = Heads(BaseProtocol(asyncio.get_running_loop()), fits, **limits)
    return lambda connection: Lane(connection, heads, answerer)

"""The endpoints that the gateway answers itself."""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from gateway.api import service
from gateway.front import Passage

Handler = Callable[[Passage], Awaitable[web.StreamResponse]]


def handlers() -> Mapping[str, Handler]:
    """By endpoint name, for every row of ``gateway.catalogue.SIMPLIFIED``."""
    return {
        "api.index": service.index,
        "api.protected_resource": service.protected_resource,
    }

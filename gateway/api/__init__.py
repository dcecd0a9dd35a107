"""The endpoints that the gateway answers itself."""

from collections.abc import Awaitable, Callable, Mapping

from gateway.answers import Answer
from gateway.api import service
from gateway.front import Passage

Handler = Callable[[Passage], Awaitable[Answer]]


def handlers(*groups: Mapping[str, Handler]) -> Mapping[str, Handler]:
    """By endpoint name, for every row of ``gateway.catalogue.SIMPLIFIED``.

    ``groups`` are those that need parts of the running gateway.
    """
    found: dict[str, Handler] = {
        "api.index": service.index,
        "api.protected_resource": service.protected_resource,
        "api.demo_asset": service.demo_asset,
    }
    for group in groups:
        found |= group
    return found

"""The authentication service."""

from gateway.simulator import wire
from gateway.simulator.call import Call
from gateway.simulator.routes.common import handshake, service_routes
from gateway.simulator.routing import ANYBODY, Route, Service

SERVICE = Service("AuthenticationRestService", "/authentication")


async def login(call: Call) -> wire.Answer:
    return call.security.login(call.request.headers, call.options)


ROUTES = (
    *service_routes(SERVICE),
    Route("HEAD", "", SERVICE, handshake, ANYBODY),
    Route("POST", "/login", SERVICE, login, None),
)

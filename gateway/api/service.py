"""What anyone may know of the gateway: what it is, and whose tokens it takes (RFC 9728)."""

from gateway import __version__, answers
from gateway.front import Passage
from gateway.problems import UnknownEndpoint

_CACHEABLE = [("Cache-Control", "public, max-age=300")]


async def index(passage: Passage) -> answers.Answer:
    public = passage.regime.settings.public_url
    description = {
        "service": "OL Connect gateway",
        "version": __version__,
        "links": {
            "rest": f"{public}/rest/serverengine",
            "api": f"{public}/api/v1",
            "openapi": f"{public}/openapi.json",
            "docs": f"{public}/docs",
            "protected_resource": f"{public}/.well-known/oauth-protected-resource",
        },
    }
    return answers.json(passage.exchange, description, lines=_CACHEABLE)


async def protected_resource(passage: Passage) -> answers.Answer:
    """OAuth 2.0 protected resource metadata, RFC 9728 section 2."""
    settings = passage.regime.settings
    metadata = {
        "resource": settings.public_url,
        "authorization_servers": [issuer.issuer for issuer in settings.issuers.values()],
        "bearer_methods_supported": ["header"],
        "resource_name": "OL Connect gateway",
        "resource_documentation": f"{settings.public_url}/docs",
    }
    return answers.json(passage.exchange, metadata, lines=_CACHEABLE)


async def demo_asset(passage: Passage) -> answers.Answer:
    """What ``olgw demo`` serves below ``/demo``, for gateways that are none."""
    raise UnknownEndpoint("There is a demo page only where `olgw demo` runs.")

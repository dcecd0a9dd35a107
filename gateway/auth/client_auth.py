"""How a client shows its id and secret at an issuer's endpoint (RFC 6749 section 2.3.1)."""

from urllib.parse import quote_plus

import aiohttp


def basic_authorization(client_id: str, client_secret: str) -> str:
    """Both are form-encoded first, so that neither a colon nor an umlaut is ambiguous."""
    return aiohttp.encode_basic_auth(quote_plus(client_id), quote_plus(client_secret))

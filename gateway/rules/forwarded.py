"""Who is at the other end, seen through the proxies in front of the gateway."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

Networks = Sequence[IPv4Network | IPv6Network]


def client_of(peer: str | None, forwarded_for: str | None, trusted: Networks) -> str | None:
    """The nearest address that is not a trusted proxy's; X-Forwarded-For counts only from those.

    The header grows at its right end, so it is read from there: what stands further left than the
    first stranger may be that stranger's invention.
    """
    if peer is None or not _is_within(peer, trusted):
        return peer
    client = peer
    for text in reversed((forwarded_for or "").split(",")):
        address = text.strip()
        if not _is_address(address):
            return client
        client = address
        if not _is_within(address, trusted):
            return client
    return client


def scheme_of(peer: str | None, forwarded_proto: str, trusted: Networks) -> str:
    """How the caller spoke to the nearest proxy, if it is a trusted one and says so; the gateway's
    own listener speaks plain HTTP."""
    if peer is None or not _is_within(peer, trusted):
        return "http"
    said = forwarded_proto.rpartition(",")[2].strip().lower()
    return said if said in ("http", "https") else "http"


def _is_within(text: str, networks: Networks) -> bool:
    if not networks or not _is_address(text):
        return False
    address = ip_address(text)
    return any(address.version == network.version and address in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True

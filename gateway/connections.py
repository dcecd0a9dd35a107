"""How many connections one client may hold at a time."""

from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

# Whoever has one IPv6 address has the 2**64 of its network.
_IPV6_PREFIX_BITS = 64


class Connections:
    """Counts by IPv4 address and IPv6 network. ``trusted`` are proxies: many stand behind one."""

    def __init__(self, limit: int, trusted: Sequence[IPv4Network | IPv6Network] = ()) -> None:
        self._limit = limit
        self._trusted = trusted
        self._held: Counter[str] = Counter()

    def client_of(self, host: str) -> str | None:
        """What connections from ``host`` are counted under; None if they are not."""
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return None  # a Unix socket
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if any(address in network for network in self._trusted):
            return None
        if isinstance(address, IPv6Address):
            return str(IPv6Network((address, _IPV6_PREFIX_BITS), strict=False))
        return str(address)

    def enter(self, client: str) -> bool:
        """False, and not counted, where the client has as many as it may."""
        if self._held[client] >= self._limit:
            return False
        self._held[client] += 1
        return True

    def leave(self, client: str) -> None:
        self._held[client] -= 1
        if self._held[client] <= 0:
            del self._held[client]

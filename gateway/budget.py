"""How much memory the bodies that are read whole may take together."""

from gateway.problems import UpstreamOverloaded

BODIES_BYTES = 256 * 1024 * 1024


class Budget:
    """``take`` before bytes are kept, ``give_back`` when their request has ended."""

    def __init__(self, limit_bytes: int = BODIES_BYTES) -> None:
        self._left = limit_bytes

    def take(self, count: int) -> None:
        """Raises UpstreamOverloaded: a caller sent away is better than a process that dies."""
        if count > self._left:
            raise UpstreamOverloaded(
                "Too many large requests are under way. Try again shortly.",
                headers={"Retry-After": "2"},
            )
        self._left -= count

    def give_back(self, count: int) -> None:
        self._left += count

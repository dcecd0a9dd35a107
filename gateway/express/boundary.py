"""Where on a connection the next request begins: aiohttp's parser does not tell."""

import re

_END = b"\r\n\r\n"
_LARGEST_HEAD_BYTES = 16 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
_UNCOUNTED = re.compile(rb"\r\n(?:transfer-encoding|upgrade|expect)[ \t]*:", re.IGNORECASE)


class Boundary:
    """Counts what aiohttp is given. Once it has lost count, it never says again that it knows."""

    __slots__ = ("_head", "_left", "is_known")

    def __init__(self) -> None:
        self.is_known = True
        self._left = 0  # bytes of a body that are still to come
        self._head = b""  # begun and not yet complete

    @property
    def is_reached(self) -> bool:
        """Whether the next byte to come is the first one of a request."""
        return self.is_known and not self._left and not self._head

    def pass_on(self, data: bytes) -> None:
        if not self.is_known:
            return
        if self._left:
            self._left -= len(data)
            self.is_known = self._left >= 0
            return
        self._head += data
        end = self._head.find(_END) + len(_END)
        if end < len(_END):
            self.is_known = len(self._head) <= _LARGEST_HEAD_BYTES
            return
        head, rest = self._head[:end], len(self._head) - end
        self._head = b""
        lengths = _LENGTH.findall(head)
        if len(lengths) > 1 or _UNCOUNTED.search(head):
            self.is_known = False
            return
        self._left = (int(lengths[0]) if lengths else 0) - rest
        self.is_known = self._left >= 0

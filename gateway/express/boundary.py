"""Where on a connection the next request begins: aiohttp's parser does not tell."""

import re

_END = b"\r\n\r\n"
_LARGEST_HEAD_BYTES = 16 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
# aiohttp takes longer ones as well, with zeros in front.
_COUNTABLE = re.compile(rb"[0-9]{1,18}[ \t]*")
_UNCOUNTED = re.compile(rb"\r\n(?:transfer-encoding|upgrade|expect)[ \t]*:", re.IGNORECASE)


class Boundary:
    """Counts what aiohttp is given. Once it has lost count, it never says again that it knows."""

    __slots__ = ("_head", "_is_known", "_left", "is_reached")

    def __init__(self) -> None:
        self.is_reached = True  # the next byte to come is the first one of a request
        self._is_known = True
        self._left = 0  # bytes of a body that are still to come
        self._head = b""  # begun and not yet complete

    def pass_on(self, data: bytes) -> None:
        if not self._is_known:
            return
        if self._left:
            self._left -= len(data)
        else:
            self._head += data
            self._read_head()
        if self._left < 0:
            self._is_known = False
        self.is_reached = self._is_known and not self._left and not self._head

    def _read_head(self) -> None:
        end = self._head.find(_END) + len(_END)
        if end < len(_END):
            self._is_known = len(self._head) <= _LARGEST_HEAD_BYTES
            return
        head, rest = self._head[:end], len(self._head) - end
        self._head = b""
        lengths = _LENGTH.findall(head)
        if len(lengths) > 1 or not all(map(_COUNTABLE.fullmatch, lengths)):
            self._is_known = False
            return
        self._is_known = not _UNCOUNTED.search(head)
        self._left = (int(lengths[0]) if lengths else 0) - rest

"""Heads of small answers, known by their exact bytes.

Servers say the same again and again: but for the second and a length, most heads are the one
before. What a head means is a function of its bytes alone, so aiohttp's parser has to read it once.
"""

from collections.abc import Mapping

from aiohttp.http_parser import RawResponseMessage

LARGEST_BODY_BYTES = 64 * 1024
_LARGEST_BYTES = 4096
_KNOWN = 256
_END = b"\r\n\r\n"


class AnswerHead:
    """The head of a 200 with a body of ``length`` bytes, in no coding, from no cache.

    ``said`` belongs to whoever passes it on: what it becomes, by what that hangs on besides.
    """

    __slots__ = ("length", "raw_headers", "said")

    def __init__(self, message: RawResponseMessage) -> None:
        self.length = int(message.headers["Content-Length"])
        self.raw_headers = message.raw_headers
        self.said: dict[str, bytes] = {}


class AnswerHeads:
    """The heads that came last, of answers that came whole in one piece."""

    def __init__(self) -> None:
        self._known: dict[bytes, AnswerHead] = {}

    def read(self, data: bytes) -> tuple[AnswerHead, bytes] | None:
        """The one answer that ``data`` is, with its body, if its head is known."""
        end = data.find(_END, 0, _LARGEST_BYTES) + len(_END)
        head = self._known.get(data[:end])
        if head is None or len(data) != end + head.length:
            return None
        return head, data[end:]

    def learn(self, data: bytes, head: AnswerHead) -> None:
        """Remember the head with which ``data`` begins, if nothing comes before or after."""
        end = data.find(_END, 0, _LARGEST_BYTES) + len(_END)
        if end < len(_END) or len(data) != end + head.length:
            return
        if len(self._known) >= _KNOWN:
            del self._known[next(iter(self._known))]
        self._known[data[:end]] = head


def is_simple(status: int, fields: Mapping[str, str]) -> bool:
    """Whether an answer is a 200 of a stated, small length, in no transfer coding, and new."""
    if status != 200 or "Transfer-Encoding" in fields or "Age" in fields:
        return False
    length = fields.get("Content-Length", "")
    # aiohttp has seen to it that it is one number, if it is there.
    return length.isdigit() and int(length) <= LARGEST_BODY_BYTES

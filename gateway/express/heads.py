"""Requests read at once, by aiohttp's own parser: what it takes, and how strictly, cannot differ.

The head of a plain request is remembered by its exact bytes, since clients send the same ones again
and again; what they mean is a function of nothing else.
"""

import re
from collections.abc import Callable
from typing import NamedTuple, Unpack

from aiohttp import HttpVersion11, hdrs
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser, RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError
from cachetools import LRUCache

from gateway.inbound import Kin, Memo, ParserLimits

LARGEST_HEAD_BYTES = 16 * 1024
LARGEST_BODY_BYTES = 64 * 1024
_KNOWN_BYTES = 16 * 1024 * 1024
# Besides its bytes: the parsed message with its fields, and what is kept with it at the most.
_OVERHEAD_BYTES = 12 * 1024
_KIN_KNOWN = 256
_END = b"\r\n\r\n"
_LENGTH = re.compile(r"[0-9]{1,6}")
_BEARER = "Bearer "
_READS = ("GET", "HEAD")
# An upgrade, or a body that waits to be asked for, is not plain.
_UNUSUAL = (hdrs.UPGRADE, hdrs.EXPECT, hdrs.TRANSFER_ENCODING)


class Head(NamedTuple):
    """A head as aiohttp read it; ``length`` is that of the body."""

    message: RawRequestMessage
    length: int
    memo: Memo


class Heads:
    """Reads what arrived on a connection that was between two requests.

    ``fits`` says, by method and target, whether a request is one for this lane at all.
    """

    def __init__(
        self,
        protocol: BaseProtocol,
        fits: Callable[[str, str], bool],
        **limits: Unpack[ParserLimits],
    ) -> None:
        self._protocol = protocol
        self._fits = fits
        self._limits = limits
        self._parser = self._new_parser()
        self._known: dict[bytes, Head] = {}
        self._known_bytes = 0
        self._kin: LRUCache[tuple[bytes, ...], Kin] = LRUCache(_KIN_KNOWN)

    def read(self, data: bytes) -> tuple[Head, bytes] | None:
        """The one plain request that ``data`` is, with its body; None if it is anything else."""
        if len(data) <= LARGEST_HEAD_BYTES:
            head = self._known.get(data)
            if head is not None and not head.length:
                return head, b""
        end = data.find(_END, 0, LARGEST_HEAD_BYTES) + len(_END)
        if end < len(_END):
            return None
        text = data if end == len(data) else data[:end]
        head = self._known.get(text) or self._parsed(text)
        if head is None or len(data) != end + head.length:
            return None
        return head, data[end:]

    def _parsed(self, text: bytes) -> Head | None:
        message = self._message(text)
        if message is None or not _is_plain(message):
            return None
        length = _length(message)
        if length is None or not self._fits(message.method, message.path):
            return None
        head = Head(message, length, Memo(kin=self._kin_of(message, text)))
        self._remember(text, head)
        return head

    def _kin_of(self, message: RawRequestMessage, text: bytes) -> Kin | None:
        """None unless it is a read's, with a bearer token in ``Authorization`` and there alone."""
        if message.method not in _READS:
            return None  # nothing is learnt from it
        shown = message.headers.getall(hdrs.AUTHORIZATION, ())
        if len(shown) != 1 or not shown[0].startswith(_BEARER):
            return None
        token = shown[0].removeprefix(_BEARER).encode("utf-8", "surrogateescape")
        common = tuple(text.split(token)) if token else ()
        if len(common) != 2:
            return None
        kin = self._kin.get(common)
        if kin is None:
            kin = self._kin[common] = Kin()
        return kin

    def _message(self, text: bytes) -> RawRequestMessage | None:
        try:
            messages, upgraded, tail = self._parser.feed_data(text)
        except HttpProcessingError:
            self._parser = self._new_parser()
            return None
        if len(messages) != 1 or upgraded or tail:
            self._parser = self._new_parser()
            return None
        message, payload = messages[0]
        if not payload.is_eof():
            # It waits for a body, which is not going to come here.
            self._parser = self._new_parser()
        return message

    def _new_parser(self) -> HttpRequestParser:
        return HttpRequestParser(
            self._protocol,
            self._protocol._loop,
            2**16,
            payload_exception=None,
            auto_decompress=False,
            **self._limits,
        )

    def _remember(self, text: bytes, head: Head) -> None:
        self._known[text] = head
        self._known_bytes += len(text) + _OVERHEAD_BYTES
        while self._known_bytes > _KNOWN_BYTES:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._known_bytes -= len(oldest) + _OVERHEAD_BYTES


def _is_plain(message: RawRequestMessage) -> bool:
    if message.version != HttpVersion11 or message.should_close or message.upgrade:
        return False
    return not any(name in message.headers for name in _UNUSUAL)


def _length(message: RawRequestMessage) -> int | None:
    values = message.headers.getall(hdrs.CONTENT_LENGTH, ())
    if not values:
        return 0
    if len(values) > 1 or not _LENGTH.fullmatch(values[0]):
        return None
    length = int(values[0])
    return length if length <= LARGEST_BODY_BYTES else None

"""What is kept of answers whose header speaks against it (RFC 9111), over real connections."""

import pytest

from tests.support.peer import Peer, said, saying
from tests.support.stage import REST, Stage
from tests.support.wire import Raw, dial, head

PROPERTIES = f"{REST}/entity/jobs/1/properties"
NEXT_CENTURY = "Fri, 01 Jan 2100 00:00:00 GMT"


async def read(stage: Stage) -> Raw:
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head("GET", PROPERTIES, token=stage.token("ol-operators")))
        return await wire.answer()


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("Age: 9",),
        ("Age: 9", "Cache-Control: max-age=3600"),
        ("Cache-Control: s-maxage=3600, max-age=0",),
        (f"Expires: {NEXT_CENTURY}",),
        (f"Expires: {NEXT_CENTURY}", "Date: never"),
        ("Date: Fri, 27 Nov 2026 06:00:00 +99999999999999999",),
    ],
)
async def test_kept(peered: Stage, peer: Peer, lines: tuple[str, ...]) -> None:
    peer.script = saying(said(*lines, "Content-Length: 2", body=b"[]"))
    first, again = await read(peered), await read(peered)
    assert (first.status, again.status, len(peer.asked)) == (200, 200, 1)
    expected = 9 if "Age: 9" in lines else 0
    for answer in (first, again):
        assert answer.all("Age") == [answer.one("Age")]
        assert expected <= int(answer.one("Age") or "") < expected + 30
    assert (again.one("Cache-Status") or "").startswith("olgw; hit")


@pytest.mark.parametrize(
    "lines",
    [
        ("Cache-Control: No-StOrE",),
        ("Cache-Control: max-age=3600", "Cache-Control: private"),
        # What concerns only the next hop says all the same that this answer is not to be kept.
        ("Cache-Control: no-store", "Connection: cache-control"),
        ('Cache-Control: extension="max-age=3600", max-age=0',),
        ("Cache-Control: max-age= 3600",),
        ("Cache-Control: max-age=10", "Age: 15"),
        ("Age: 60",),
        ("Age: " + "9" * 400,),
        (f"Expires: {NEXT_CENTURY}", f"Date: {NEXT_CENTURY}"),
        ("Expires: Thu, 18 Aug 50 02:01:18 GMT",),
        ("Vary: , *",),
        ("Vary: Accept-Encoding", "Vary: Cookie"),
    ],
)
async def test_not_kept(peered: Stage, peer: Peer, lines: tuple[str, ...]) -> None:
    peer.script = saying(said(*lines, "Content-Length: 2", body=b"[]"))
    for calls in (1, 2):
        answer = await read(peered)
        assert (answer.status, len(peer.asked)) == (200, calls)
        assert answer.one("Cache-Status") == "olgw; fwd=uri-miss"

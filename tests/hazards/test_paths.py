"""No path, link or header leads anywhere but where the gateway authorised it (attacks 3)."""

import itertools
from urllib.parse import unquote

import pytest

from tests.support.peer import OK, Peer, saying
from tests.support.stage import Stage
from tests.support.wire import Wire, dial, head

P = "/rest/serverengine"

DOTS = (
    "/entity/../__simulator/record",
    "/entity/%2e%2e/%2e%2e/x",
    "/entity/.%2e/%2E./x",
    "/entity/jobs/./1/properties",
    "/entity/jobs/..",
    "/entity/jobs/...",
    "/entity/jobs/1/properties/..",
    "/../entity",
    "/./entity",
)
SLASHES = (
    "/entity%2fjobs",
    "/entity/jobs%2f1%2fproperties",
    "/entity%5cjobs",
    "/entity\\jobs",
    "/filestore/file/..%2f..%2fx",
    "/filestore/file/7/..%5c..%5cx",
    "//entity/jobs/1/properties",
    "/entity//jobs/1/properties",
    "/entity/jobs/1//properties",
)
PARAMETERS = (
    "/entity/..;/jobs",
    "/entity/..;a=b/jobs",
    "/entity/jobs;x/1/properties",
    "/entity/jobs/1;jsessionid=2/properties",
    "/entity/jobs/1/properties;x",
    "/entity/jobs/1%3bx/properties",
)
DELIMITERS = (
    "/entity/jobs/1%23/properties",
    "/entity/jobs/1%3f/properties",
    "/entity/jobs/1/properties%3fa=b",
    "/entity#/jobs",
    "/entity/jobs/1/properties#",
)
ENCODINGS = (
    "/entity/jobs/1/%70roperties",
    "/entity/jobs/1/p%72operties",
    "/%65ntity/jobs/1/properties",
    "/entity/jobs/%31/properties",
    "/entity/jobs/%2531/properties",
    "/entity/jobs/%252e%252e/x",
    "/entity/jobs/%25252e/x",
    "/entity/jobs/%u0031/properties",
    "/entity/jobs/%c0%af/properties",
    "/entity/jobs/%c0%ae%c0%ae/properties",
    "/entity/jobs/%zz/properties",
    "/entity/jobs/%/properties",
    "/entity/jobs/1%00/properties",
    "/entity/jobs/1%0d%0aX:y/properties",
    "/entity/jobs/1%09/properties",
    "/entity/jobs/1%20/properties",
    "/entity/jobs/%201/properties",
    "/filestore/file/%ef%bc%8e%ef%bc%8e%ef%bc%8fx",
    "/filestore/file/%e2%84%80",
    "/filestore/file/%ff",
    "/filestore/file/a.",
    "/filestore/file/+",
    "/filestore/file/%e2%80%ae",
)
UNKNOWN = (
    "/entity/jobs/1/properties/",
    "/entity/jobs/1/Properties",
    "/Entity/jobs/1/properties",
    "/entity/jobs/+1/properties",
    "/entity/jobs/1_0/properties",
    "/entity/jobs/-1/properties",
    "/entity/jobs/0x1/properties",
    "/entity/jobs/1.0/properties",
    "/entity/jobs/%d9%a1/properties",
    "/entity/jobs/%ef%bc%91/properties",
    "/entity/jobs/%c2%b2/properties",
    "/entity/jobs/properties/1",
    "/entity/jobs/1/properties.json",
    "/entity/jobs/1/properties*",
    "/entityx",
    "/workflow",
    "/workflow/print/getResult",
    "",
    "/",
)
CORPUS = (*DOTS, *SLASHES, *PARAMETERS, *DELIMITERS, *ENCODINGS, *UNKNOWN)
OUTSIDE = (
    "/rest/serverenginex/entity",
    "/rest/serverengine../entity",
    "/rest/serverengine%2e/entity",
    "/rest/Serverengine/entity",
    "/REST/serverengine/entity",
    "/rest%2fserverengine/entity",
    "/rest/entity/jobs/1/properties",
    "/api/v1/../../rest/serverengine/entity",
    "/api../x",
    "/api/v1/jobs/%31",
    "/__simulator/record",
    "/metrics",
    "/livez",
    "/docs/..%2fgateway.yaml",
    "/docs/%2e%2e/x",
)


async def _status(wire: Wire, target: str, token: str, *lines: str) -> int:
    await wire.send(head("GET", target, *lines, token=token))
    return (await wire.answer()).status


@pytest.mark.parametrize("paths", [CORPUS, OUTSIDE], ids=["below the prefix", "elsewhere"])
async def test_hostile_paths_never_reach_ol_connect(stage: Stage, paths: tuple[str, ...]) -> None:
    """Pitfall P1. Whoever sends them may do everything: only their form speaks against them."""
    token = stage.token("ol-operators")
    for path in paths:
        target = P + path if paths is CORPUS else path
        async with dial(stage.gateway.public.port) as wire:
            status = await _status(wire, target, token)
        assert status in (400, 404), target
    assert stage.requests() == []


async def test_hostile_paths_tell_nothing_to_strangers(stage: Stage) -> None:
    for path in CORPUS:
        async with dial(stage.gateway.public.port) as wire:
            await wire.send(head("GET", P + path))
            answer = await wire.answer()
        assert answer.status in (400, 401), path
        assert answer.status == 401 or answer.code in ("ambiguous_path", "malformed_request")


HARMLESS = (
    "/filestore/file/a%20b.pdf",
    "/filestore/file/%c3%9cbersicht.pdf",
    "/filestore/file/a+b.pdf",
    "/filestore/file/7/css/style.css",
    "/filestore/file/a~b(1),c!.pdf?q=%7E~%27%2B+%26&x=%zz&&=;a",
    "/entity/version?a=%2e%2e/%2f&b=",
    "/entity/?a",
)


async def test_what_is_let_through_is_sent_byte_for_byte(stage: Stage) -> None:
    """Pitfalls P1, P2 and P3: neither path nor query is written anew."""
    token = stage.token("ol-operators")
    async with dial(stage.gateway.public.port) as wire:
        for target in HARMLESS:
            assert await _status(wire, P + target, token) in (200, 404), target
    assert [entry.raw_path for entry in stage.requests()] == [P + path for path in HARMLESS]


def _readings(target: str) -> list[str]:
    """As servers read it that decode once, twice or three times."""
    readings = [target]
    for _ in range(3):
        readings.append(unquote(readings[-1]))
    return readings


async def test_every_pair_of_path_tricks_is_refused_or_kept(peered: Stage, peer: Peer) -> None:
    """Pieces of all tricks in a path that takes anything: it arrives as sent, or not at all."""
    pieces = ("a", "%2e", ".", "..", "%2f", "/", "\\", "%5c", ";", "%25", "%c3%bc", "+", "%20", "#")
    token = peered.token("ol-operators")
    peer.script = saying(OK)
    sent = []
    async with dial(peered.gateway.public.port) as wire:
        for pair in itertools.product(pieces, repeat=2):
            target = f"{P}/filestore/file/7/x{''.join(pair)}y"
            if wire.reader.at_eof() or "#" in pair:
                continue
            await wire.send(head("GET", target, token=token))
            answer = await wire.answer()
            assert answer.status in (200, 400)
            if answer.status == 200:
                sent.append(target)
            assert answer.status == 200 or answer.code == "ambiguous_path"
    assert [asked.target for asked in peer.asked] == sent
    assert sent
    for reading in (reading for target in sent for reading in _readings(target)):
        assert {".", ".."}.isdisjoint(reading.replace("\\", "/").split("/"))


@pytest.mark.parametrize(
    "line",
    [
        f"X-Original-URL: {P}/entity/jobs/1/properties",
        f"X-Rewrite-URL: {P}/entity/jobs/1/properties",
        f"X-Forwarded-Uri: {P}/entity/jobs/1/properties",
        "X-HTTP-Method-Override: DELETE",
        "X-Method-Override: PUT",
        "User-Agent: kube-probe/1.0",
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-Host: 127.0.0.1",
        "Forwarded: for=127.0.0.1",
    ],
)
async def test_no_header_chooses_another_path_or_opens_the_door(stage: Stage, line: str) -> None:
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head("GET", f"{P}/entity/version", line))
        assert (await wire.answer()).status == 401
        assert await _status(wire, f"{P}/entity/version", stage.token(), line) == 200
    [entry] = stage.requests()
    assert (entry.method, entry.raw_path) == ("GET", f"{P}/entity/version")


@pytest.mark.parametrize("id_", ["+{}", "0{}", "{}_", "%3{}", "{}%20", "{}.0"])
async def test_an_id_is_compared_as_text(stage: Stage, id_: str) -> None:
    """Another spelling of a foreign team's job is not let past ownership."""
    job = await stage.caller("ol-billing").job()
    stage.simulator.record.clear()
    reply = await stage.caller("ol-marketing").get(f"/entity/jobs/{id_.format(job)}/properties")
    assert reply.status in (400, 404)
    assert stage.requests() == []


UPSTREAM_LINKS = (
    "{up}/rest/serverengine/../x",
    "{up}/rest/serverengine/%2e%2e/x",
    "{up}/rest/serverengine/..%2fx",
    "{up}/rest/serverengine/..;/x",
    "{up}/rest/serverengine\\..\\x",
    "{up}/admin",
    "{up}",
    "http://OLSERVER:9340/admin",
    "javascript:alert(1)",
    "data:text/html,x",
)


@pytest.mark.parametrize("name", ["Link", "Location", "Content-Location"])
async def test_links_that_lead_nowhere_safe_are_dropped(
    peered: Stage, peer: Peer, name: str
) -> None:
    caller = peered.caller("ol-operators")
    for link in UPSTREAM_LINKS:
        target = link.format(up=peer.url)
        value = f'<{target}>; rel="next"' if name == "Link" else target
        peer.script = saying(
            f"HTTP/1.1 200 OK\r\n{name}: {value}\r\nContent-Length: 0\r\n\r\n".encode()
        )
        reply = await caller.get("/entity/version")
        assert reply.status == 200, target
        assert name not in reply.headers, target


@pytest.mark.parametrize("name", ["Link", "Location"])
async def test_links_into_ol_connect_lead_to_the_gateway(
    peered: Stage, peer: Peer, name: str
) -> None:
    caller = peered.caller("ol-operators")
    for origin in (peer.url, peer.url.upper().replace("HTTP", "http"), "http://olserver:9340", ""):
        target = f"{origin}{P}/entity/jobs/1?a=%7E"
        value = f'<{target}>; rel="next"; title="<http://evil.test/>"' if name == "Link" else target
        peer.script = saying(
            f"HTTP/1.1 200 OK\r\n{name}: {value}\r\nContent-Length: 0\r\n\r\n".encode()
        )
        reply = await caller.get("/entity/version")
        assert f"http://gateway.test{P}/entity/jobs/1?a=%7E" in reply.headers[name]


HOSTILE_LINK_LINES = (
    "<" * 5000,
    '<{up}/rest/serverengine/a>; title="' + "a" * 30_000,
    "{up}/rest/serverengine/a; rel=next",
    '<http://ok.test/>; rel="a", {up}',
    '<http://ok.test/?u={up}/rest/serverengine>; rel="a"',
)


async def test_no_link_line_shows_the_upstream_however_broken(peered: Stage, peer: Peer) -> None:
    caller = peered.caller("ol-operators")
    for line in HOSTILE_LINK_LINES:
        value = line.format(up=peer.url)
        peer.script = saying(
            f"HTTP/1.1 200 OK\r\nLink: {value}\r\nContent-Length: 0\r\n\r\n".encode()
        )
        reply = await caller.get("/entity/version")
        assert reply.status in (200, 502)
        assert peer.url not in "".join(reply.headers.getall("Link", [])), line[:40]


async def test_three_hundred_link_lines_are_a_matter_of_milliseconds(
    peered: Stage, peer: Peer
) -> None:
    line = f'Link: <{peer.url}{P}/entity/jobs/1>; rel="next"\r\n'
    peer.script = saying(f"HTTP/1.1 200 OK\r\n{line * 300}Content-Length: 0\r\n\r\n".encode())
    async with dial(peered.gateway.public.port) as wire:
        await wire.send(head("GET", f"{P}/entity/version", token=peered.token("ol-operators")))
        links = (await wire.answer()).all("Link")
    assert links == [f'<http://gateway.test{P}/entity/jobs/1>; rel="next"'] * 300

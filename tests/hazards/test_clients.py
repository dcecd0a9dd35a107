"""Client software that nobody here wrote works unchanged: VC (the vendor's own), RG (generated, in
a browser) and CS (a .NET library), as far as each is known to insist on something."""

import asyncio
from urllib.parse import quote_plus

import aiohttp
import pytest

from tests.support.stage import Reply, Stage, TestCaller
from tests.support.wire import dial, head

P = "/rest/serverengine"
ROBOT = aiohttp.encode_basic_auth("robot", "robot-secret")
SERVICES = (
    "/authentication",
    "/filestore",
    "/workflow/datamining",
    "/workflow/contentcreation",
    "/workflow/jobcreation",
    "/workflow/outputcreation",
    "/workflow/print",
    "/entity",
    "/entity/jobs",
)


class Client(TestCaller):
    """Knows a name and a password only; sends its token as ``auth_token``."""

    def __init__(self, stage: Stage, always: dict[str, str]) -> None:
        super().__init__(stage, None)
        self.always = always
        self.auth_token = ""

    async def __call__(self, method: str, path: str, **options: object) -> Reply:
        headers = {**self.always, "auth_token": self.auth_token}
        headers |= options.pop("headers", {})  # type: ignore[call-overload]
        return await super().__call__(method, path, headers=headers, **options)

    async def login(self) -> Reply:
        reply = await self.post("/authentication/login", headers={"Authorization": ROBOT})
        assert reply.status == 200
        self.auth_token = reply.text
        return reply


@pytest.mark.parametrize("before", ["", "stale", "a.b.c"])
async def test_login_takes_the_password_whatever_token_stands_beside_it(
    stage: Stage, before: str
) -> None:
    """CS sends ``auth_token`` with its login: empty at first, the ended one later."""
    client = Client(stage, {"Content-Type": "application/json"})
    client.auth_token = before
    reply = await client.login()
    assert reply.headers["Content-Type"] == "text/plain"
    assert reply.text == reply.text.strip().strip('"')
    assert 15 < int(reply.headers["Token-Expires-In"]) <= 3600
    assert (await client.get("/entity/version")).status == 200
    again = await client.login()
    assert again.status == 200


@pytest.mark.parametrize(
    "authorization",
    [aiohttp.encode_basic_auth("robot", "wrong"), aiohttp.encode_basic_auth("nobody", "x"), ""],
)
async def test_a_wrong_password_is_401_in_ol_connects_form(
    stage: Stage, authorization: str
) -> None:
    caller = TestCaller(stage, None)
    shown = {"Authorization": authorization} if authorization else {}
    reply = await caller.post("/authentication/login", headers=shown)
    assert reply.status == 401
    assert reply.headers["Content-Type"] == "application/json"
    assert set(reply.json()["error"]) >= {"status", "message"}
    assert stage.requests() == []


async def test_vc_asks_with_head_and_sends_its_trace_id(stage: Stage) -> None:
    client = Client(stage, {"trace_id": "4711", "content-type": "application/json"})
    reply = await client("HEAD", "/authentication")
    assert reply.status == 401
    await client.login()
    for service in SERVICES:
        reply = await client("HEAD", service)
        assert (reply.status, reply.body) == (200, b""), service
    assert {dict(entry.headers).get("trace_id") for entry in stage.requests()} == {"4711"}


async def test_vc_reads_every_refusal_as_a_json_error(stage: Stage) -> None:
    """It parses the bodies of 400, 404 and 500 without looking, and compares types whole."""
    client = Client(stage, {})
    await client.login()
    stage.simulator.faults.add("garbage_head", path="/entity/version")
    for path, status in (
        ("/entity/jobs/..%2f", 400),
        ("/entity/jobs/404/properties", 404),
        ("/nothing", 404),
        ("/workflow/print/getProgress/404", 404),
        ("/entity/version", 502),
    ):
        reply = await client.get(path)
        assert reply.status == status
        assert reply.headers["Content-Type"] == "application/json"
        assert reply.json()["error"]["status"] == status
        assert reply.json()["error"]["message"]


async def test_rg_sends_a_content_type_with_everything(stage: Stage) -> None:
    client = Client(stage, {"Content-Type": "application/json"})
    await client.login()
    file = await client.upload()
    reply = await client.post(f"/workflow/datamining/Promo-EN.OL-datamapper/{file}")
    assert reply.status == 202
    assert "Content-Type" not in reply.headers
    operation = reply.headers["operationId"]
    while (await client.get(f"/workflow/datamining/getProgress/{operation}")).text != "done":  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    result = await client.post(f"/workflow/datamining/getResult/{operation}")
    assert (result.status, result.headers["Content-Type"]) == (200, "text/plain")
    assert result.text.isdigit()
    listed = await client.get("/entity/datasets")
    assert listed.headers["Content-Type"] == "application/json"
    assert listed.json() == {"identifiers": [int(result.text)]}
    parameters = "?detail=false&recursive=false&persistent=false"
    assert (await client.get(f"/entity/datasets/{result.text}{parameters}")).status == 200


async def test_rg_sends_puts_without_a_body(stage: Stage) -> None:
    """A bug of its own; what OL Connect says to it is what it is told."""
    client = Client(stage, {"Content-Type": "application/json"})
    await client.login()
    job = await stage.caller().job()
    reply = await client.put(f"/entity/jobs/{job}/properties")
    assert reply.status in (400, 500)
    assert reply.headers["Content-Type"] == "application/json"


async def test_rg_in_a_browser_sees_the_operation_id(stage: Stage) -> None:
    client = Client(stage, {"Origin": "http://portal.test"})
    await client.login()
    file = await client.upload()
    reply = await client.post(f"/workflow/datamining/Promo-EN.OL-datamapper/{file}")
    exposed = reply.headers["Access-Control-Expose-Headers"]
    assert {"operationId", "Link"} <= set(exposed.split(", "))
    assert reply.headers["Access-Control-Allow-Origin"] == "http://portal.test"


CS = {
    "X-Requested-With": "XMLHttpRequest",
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0)",
    "Cache-Control": "no-cache",
}


async def test_cs_shakes_hands_with_a_slash_at_the_end(stage: Stage) -> None:
    client = Client(stage, CS)
    await client.login()
    for service in SERVICES:
        assert (await client.get(f"{service}/")).status == 200, service


async def test_cs_writes_blanks_as_plus_and_booleans_with_capitals(stage: Stage) -> None:
    client = Client(stage, CS)
    await client.login()
    name = quote_plus("my data.json")
    reply = await client.post(
        f"/filestore/DataFile?filename={name}&persistent=True", data=b'[{"Name":"Jane"}]'
    )
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/plain")
    reply = await client.post(f"/workflow/datamining/Promo-EN.OL-datamapper/{name}")
    sent = [entry.raw_path for entry in stage.requests("my+data.json")]
    assert sent[0].endswith("?filename=my+data.json&persistent=True")
    assert reply.status in (202, 404)


async def test_cs_deletes_through_get_and_wants_true(stage: Stage) -> None:
    client = Client(stage, CS)
    await client.login()
    file = await client.upload()
    reply = await client.get(f"/filestore/delete/{file}")
    assert (reply.status, reply.body) == (200, b"true")


@pytest.mark.parametrize("host", ["gateway.test", "localhost"])
async def test_a_cookbook_form_sends_names_as_the_browser_left_them(
    stage: Stage, host: str
) -> None:
    """The cookbook's example encodes nothing; what is not ASCII arrives percent-encoded."""
    token = stage.token()
    target = f"{P}/filestore/DataFile?persistent=false&filename=R%C3%A9sum%C3%A9+a,b(1).json"
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head("POST", target, "Content-Length: 2", token=token), b"[]")
        assert (await wire.answer()).status == 200
    assert [entry.raw_path for entry in stage.requests()] == [target]


async def test_login_without_type_or_length_and_with_a_bearer_token(stage: Stage) -> None:
    async with dial(stage.gateway.public.port) as wire:
        await wire.send(head("POST", f"{P}/authentication/login", f"Authorization: {ROBOT}"))
        first = await wire.answer()
        token = first.body.decode()
        await wire.send(head("POST", f"{P}/authentication/login", token=token))
        second = await wire.answer()
    assert (first.status, second.status) == (200, 200)
    assert second.body == first.body
    assert first.one("Cache-Control") == "no-store"


@pytest.mark.parametrize("form", ["lines", "comma"])
@pytest.mark.parametrize("target", ["absolute", "relative"])
async def test_links_serve_whatever_form_ol_connect_gives_them(
    stage: Stage, form: str, target: str
) -> None:
    stage.simulator.change(link_form=form, link_target=target, link_host="http://OLSERVER:9340")
    client = Client(stage, {})
    await client.login()
    file = await client.upload()
    reply = await client.post(f"/workflow/datamining/Promo-EN.OL-datamapper/{file}")
    lines = reply.headers.getall("Link")
    assert len(lines) == (3 if form == "lines" else 1)
    assert ", ".join(lines).count(f"<http://gateway.test{P}/workflow/datamining/") == 3


async def test_cancel_is_204_without_a_body(stage: Stage) -> None:
    stage.simulator.change(operation_seconds=30.0)
    client = Client(stage, {})
    await client.login()
    file = await client.upload()
    operation = await client.start(f"/workflow/datamining/Promo-EN.OL-datamapper/{file}")
    reply = await client.post(f"/workflow/datamining/cancel/{operation}")
    assert (reply.status, reply.body) == (204, b"")

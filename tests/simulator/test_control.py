"""The control API, as tests in another process use it."""

import hashlib
from typing import Any


async def control(api: Any, method: str, what: str, body: Any = None) -> Any:
    return await api(method, f"/__simulator/{what}", json=body, headers={})


async def test_record(api: Any) -> None:
    await api("POST", "/filestore/DataFile?filename=a%20b", data=b"abc")
    await api("GET", "/no/such/thing")
    requests = (await control(api, "GET", "record")).json["requests"]
    assert len(requests) == 2
    first = requests[0]
    assert first["method"] == "POST"
    assert first["raw_path"] == "/rest/serverengine/filestore/DataFile?filename=a%20b"
    assert first["body_sha256"] == hashlib.sha256(b"abc").hexdigest()
    assert (first["body_size"], first["status"], first["who"]) == (3, 200, "ol-admin")
    assert first["time"] == api.clock.time
    assert ["Authorization", api.auth["Authorization"]] in first["headers"]
    assert requests[1]["status"] == 404


async def test_a_refused_body_is_recorded_too(api: Any) -> None:
    await api("POST", "/filestore/DataFile", data=b"abc", headers={})
    (entry,) = api.simulator.record.requests
    assert (entry.status, entry.body_size) == (401, 3)


async def test_operations_in_the_record(api: Any) -> None:
    file = await api.upload()
    operation = await api.start("/workflow/datamining", f"/Promo-EN.OL-datamapper/{file}")
    (entry,) = (await control(api, "GET", "record")).json["operations"]
    assert entry == {
        "id": operation,
        "service": "DataMiningRestService",
        "started": api.clock.time,
        "who": "ol-admin",
    }


async def test_faults(api: Any) -> None:
    fault = {"match": {"method": "GET", "path": "jobsets$"}, "fault": "error", "status": 502}
    assert (await control(api, "POST", "faults", [fault])).status == 200
    (shown,) = (await control(api, "GET", "faults")).json
    assert (shown["status"], shown["times"]) == (502, 1)
    assert (await api("GET", "/entity/jobsets")).status == 502
    assert (await api("GET", "/entity/jobsets")).status == 200
    await control(api, "POST", "faults", [])
    assert (await control(api, "GET", "faults")).json == []


async def test_options(api: Any) -> None:
    changed = await control(api, "POST", "options", {"done_seconds": 5, "charset": True})
    assert changed.json["done_seconds"] == 5
    assert api.simulator.options.charset is True
    shown = await control(api, "GET", "options")
    assert b"secret" not in shown.body
    assert shown.json["users"] == {
        "ol-admin": {"roles": list(api.simulator.options.users["ol-admin"].roles)}
    }


async def test_reset(api: Any) -> None:
    token = (await api("POST", "/authentication/login")).text
    await api.upload(filename="mine.csv")
    await control(api, "POST", "options", {"cors": True})
    await control(api, "POST", "faults", [{"fault": "error"}])
    assert (await control(api, "POST", "reset")).status == 200
    assert (await control(api, "GET", "record")).json == {"requests": [], "operations": []}
    assert (await api("GET", "/filestore/file/mine.csv")).status == 404
    assert (await api("GET", "/entity", headers={"auth_token": token})).status == 401
    assert api.simulator.options.cors is False


async def test_zero_files(api: Any) -> None:
    made = (await control(api, "POST", "files", {"name": "z.bin", "size": 10})).json
    assert (await api("GET", f"/filestore/file/{made['id']}")).body == bytes(10)
    await control(api, "POST", "files", {"name": "Z.OL-outputpreset", "size": 20})
    output = await api.run("/workflow/outputcreation", f"/Z.OL-outputpreset/{await api.job_set()}")
    assert output.body == bytes(20)


async def test_mistakes_get_a_sentence(api: Any) -> None:
    for what, body, expected in (
        ("options", {"speed": 1}, "no such option: speed"),
        ("options", [], "options are an object"),
        ("faults", {"fault": "x"}, "no such fault"),
        ("files", {}, "needs a name and a size"),
        ("files", {"name": "a", "size": "big"}, "needs a name and a size"),
        ("dance", {}, "there is no POST /__simulator/dance"),
    ):
        reply = await control(api, "POST", what, body)
        assert reply.status == 400
        assert expected in reply.json["error"]
    broken = await api("POST", "/__simulator/faults", data=b"{", headers={})
    assert "not JSON" in broken.json["error"]

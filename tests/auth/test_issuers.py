"""Putting issuers together, and keeping those that a reload does not touch."""

from typing import Any

from gateway.auth.issuers import Surroundings, connect
from gateway.settings import Introspection, Issuer, Secret


def settings(forge: Any, **changes: Any) -> Issuer:
    chosen: dict[str, Any] = {"issuer": forge.issuer.url, "audiences": ("olconnect",)}
    return Issuer(**(chosen | changes))


async def test_unchanged_issuers_keep_their_keys(forge: Any, surroundings: Surroundings) -> None:
    before = connect({"demo": settings(forge)}, surroundings)
    key = forge.key()
    await before["demo"].verifier.keys.keys_for(key.kid, "RS256")
    await forge.issuer.stop()
    after = connect({"demo": settings(forge)}, surroundings, before)
    assert after["demo"] is before["demo"]
    assert await after["demo"].verifier.keys.keys_for(key.kid, "RS256")


async def test_changed_and_renamed_issuers_start_anew(
    forge: Any, surroundings: Surroundings
) -> None:
    before = connect({"demo": settings(forge)}, surroundings)
    changed = connect({"demo": settings(forge, audiences=("x",))}, surroundings, before)
    assert changed["demo"].verifier.expected.audiences == {"x"}
    assert changed["demo"].verifier.keys is not before["demo"].verifier.keys
    renamed = connect({"other": settings(forge)}, surroundings, before)
    assert list(renamed) == ["other"]
    assert renamed["other"].verifier.name == "other"


async def test_settings_reach_their_parts(forge: Any, surroundings: Surroundings) -> None:
    asking = Introspection(client_id="gateway", client_secret=Secret("s"), url="discovery")
    chosen = settings(forge, algorithms=("ES512",), leeway="5s", introspection=asking)
    verifier = connect({"demo": chosen}, surroundings)["demo"].verifier
    assert verifier.algorithms == {"ES512"}
    assert verifier.expected.leeway_seconds == 5
    assert verifier.introspector is not None


async def test_fetches_are_observed_by_name(forge: Any, surroundings: Surroundings) -> None:
    observed: list[tuple[str, str]] = []
    around = Surroundings(
        surroundings.session,
        surroundings.tasks,
        surroundings.now,
        lambda name, result: observed.append((name, result)),
    )
    connected = connect({"demo": settings(forge)}, around)["demo"]
    await connected.verifier.keys.keys_for(forge.key().kid, "RS256")
    assert observed == [("demo", "success")]

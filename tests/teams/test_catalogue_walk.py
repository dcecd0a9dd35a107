"""Two teams on one OL Connect user: over every endpoint of the catalogue that names an object,
neither can reach, nor tell that there is, what is the other's."""

from typing import Any

from gateway.catalogue import CATALOGUE, Role
from gateway.model import Kind


def _without_request_id(reply: Any) -> Any:
    error = dict(reply.json()["error"])
    error.pop("request_id")
    varying = ("x-request-id", "traceparent", "date")
    headers = [line for line in reply.headers.items() if line[0].lower() not in varying]
    return reply.status, error, headers


async def test_no_endpoint_reaches_or_betrays_another_teams_object(
    world: Any, every_case: list[Any]
) -> None:
    asking, other = world.marketing, world.billing
    before = len(world.stage.requests())
    for case in every_case:
        foreign = await case.ask(asking, other)
        assert foreign.status == 404, f"{case}: {foreign}"
        assert case.endpoint.method == "HEAD" or foreign.code == "not_found", str(case)
        # Presets that nobody uploaded are the company's: grants say who may use them.
        if case.position.kind is not Kind.PRESET and case.endpoint.method != "HEAD":
            unknown = await case.ask(asking, world.nobodys)
            assert _without_request_id(unknown) == _without_request_id(foreign), str(case)
    assert len(world.stage.requests()) == before, "something reached OL Connect"


async def test_every_endpoint_lets_a_team_reach_its_own(world: Any, every_case: list[Any]) -> None:
    """Else the walk above would prove nothing."""
    reached = {"cancel": 0, "other": 0}
    last = sorted(every_case, key=lambda case: case.endpoint.role in (Role.DELETE, Role.CANCEL))
    for case in last:
        reply = await case.ask(world.marketing, world.marketing)
        assert b'"request_id"' not in reply.body, f"{case}: {reply}"
        reached["cancel" if case.endpoint.role is Role.CANCEL else "other"] += 1
    assert reached["other"] > 100


async def test_head_is_no_way_around(world: Any, every_case: list[Any]) -> None:
    before = len(world.stage.requests())
    for case in every_case:
        if case.endpoint.method != "GET":
            continue
        reply = await _as_head(case).ask(world.marketing, world.billing)
        assert reply.status == 404, str(case)
    assert len(world.stage.requests()) == before


def _as_head(case: Any) -> Any:
    from dataclasses import replace  # noqa: PLC0415

    return replace(case, endpoint=replace(case.endpoint, method="HEAD"))


async def test_what_cannot_be_checked_is_refused(world: Any) -> None:
    (opaque,) = (row for row in CATALOGUE if row.role is Role.OPAQUE)
    reply = await world.marketing.caller.get(opaque.path.format(args="a", size="1"))
    assert (reply.status, reply.code) == (403, "not_allowed")


async def test_every_kind_of_object_is_named_somewhere(every_case: list[Any]) -> None:
    assert {case.position.kind for case in every_case} == set(Kind)

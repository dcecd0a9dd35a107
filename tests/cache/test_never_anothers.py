"""What is cached for one credential or team is never another's: over every endpoint that is cached,
on both faces, whichever of them asked first."""

import re
from itertools import permutations

from gateway.catalogue import CATALOGUE, PARAMETERS
from gateway.model import Thing
from tests.support.peer import TOKEN, Asked, Peer, said
from tests.support.stage import CONFIG, REST, Stage, TestCaller

ENTITY = "7"
CACHED = [row for row in CATALOGUE if row.facet is not None and row.method == "GET"]
# Whose body it is: what OL Connect sees of the credential, and what the team may see.
OWN = {"billing": TOKEN, "operators": "Basic "}


async def _who_asks(asked: Asked) -> None:
    """The one value of every entity is the credential with which it is read."""
    shown = [*asked.all("auth_token"), *(line[:6] for line in asked.all("Authorization"))]
    body = f'[{{"name": "who", "value": "{"".join(shown)}"}}]'.encode()
    lines = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    asked.writer.write(said(*lines, body=body))


def _things() -> list[Thing]:
    kinds = [PARAMETERS[name].kind for row in CACHED for name in re.findall(r"{(\w+)}", row.path)]
    return [Thing(kind, ENTITY) for kind in kinds if kind is not None]


def _paths() -> list[str]:
    paths = [REST + re.sub(r"{\w+}", ENTITY, row.path) for row in CACHED]
    return [*paths, "/api/v1/jobs/7/properties", "/api/v1/jobs/properties?ids=7"]


async def test_nobody_is_given_what_is_anothers(peer: Peer) -> None:
    peer.script = _who_asks
    assert len(CACHED) >= 11  # properties of all nine kinds of entity, metadata of some
    for order in permutations(("billing", "operators", "marketing")):
        async with Stage(CONFIG.replace("{upstream}", peer.url)) as stage:
            await stage.gateway.ledger.learn("billing", _things())
            callers = {team: stage.caller(f"ol-{team}") for team in order}
            for path in _paths():
                await _each_gets_its_own(callers, path)


async def _each_gets_its_own(callers: dict[str, TestCaller], path: str) -> None:
    # Several times: the first of a team may be a miss, the last is known by its bytes.
    for team, caller in [*callers.items()] * 4:
        reply = await caller.get(path)
        if team == "marketing":  # which shares billing's credential, and owns nothing
            assert TOKEN not in reply.text, path
            assert reply.status == 404 or "not_found" in reply.text, path
        else:
            assert reply.status == 200, (path, reply)
            assert OWN[team] in reply.text, (path, team)
            assert sum(value in reply.text for value in OWN.values()) == 1, path

"""Whose operation it is: found for those who may use it, and for nobody else."""

from gateway.catalogue import ENDPOINTS
from gateway.front import Passage
from gateway.ledger import Ledger
from gateway.operation import Operation
from gateway.problems import NotAllowed, NotFound
from gateway.rules.policy import TeamRules


async def find(ledger: Ledger, passage: Passage, method: str) -> Operation:
    """The operation in the path, if one of the caller's teams may use ``method`` on it.

    The right to start something here includes watching, fetching and cancelling it; for what began
    on the transparent face the grants of that face count. Raises NotFound, NotAllowed.
    """
    operation = await ledger.operation(passage.parameters["operationId"])
    if operation is None:
        raise NotFound("There is no such operation, or it is not the team's.")
    for team in passage.teams:
        if may(team, operation, method):
            passage.choose([team])
            passage.exchange.operation_id = operation.id
            return operation
    if any(team.name == operation.team for team in passage.teams):
        raise NotAllowed(f"No grant of team {operation.team} names {operation.service}.{method}.")
    raise NotFound("There is no such operation, or it is not the team's.")


def may(team: TeamRules, operation: Operation, method: str) -> bool:
    is_own = team.name == operation.team
    if is_own and operation.simplified:
        return True
    if team.owns and not is_own:
        return False
    endpoint = ENDPOINTS.get(f"{operation.service}.{method}")
    return endpoint is not None and team.may(endpoint, ()).allowed

"""What OL Connect offers, one row per endpoint.

Routing, grants, metric labels, ownership, caching, the simulator's routes test and the reference
documentation all derive from these rows: a new endpoint is one more row.
"""

from collections.abc import Mapping

from gateway.catalogue.endpoint import (
    PARAMETERS,
    PREFIX,
    TEXT,
    Endpoint,
    Parameter,
    Role,
    Selected,
)
from gateway.catalogue.entities import ENTITIES
from gateway.catalogue.files import FILES
from gateway.catalogue.simplified import SIMPLIFIED
from gateway.catalogue.workflow import WORKFLOW

__all__ = [
    "CATALOGUE",
    "ENDPOINTS",
    "PARAMETERS",
    "PREFIX",
    "SIMPLIFIED",
    "TEXT",
    "Endpoint",
    "Parameter",
    "Role",
    "Selected",
]

CATALOGUE: tuple[Endpoint, ...] = FILES + WORKFLOW + ENTITIES
"""OL Connect's own endpoints."""

ENDPOINTS: Mapping[str, Endpoint] = {row.name: row for row in CATALOGUE}

"""All routes of all services."""

from gateway.simulator.routes import (
    allinone,
    authentication,
    contentcreation,
    datamining,
    datarecords,
    email,
    entities,
    filestore,
    html,
    jobcreation,
    others,
    outputcreation,
)
from gateway.simulator.routing import Route

ROUTES: tuple[Route, ...] = (
    *authentication.ROUTES,
    *filestore.ROUTES,
    *datamining.ROUTES,
    *contentcreation.ROUTES,
    *email.ROUTES,
    *html.ROUTES,
    *jobcreation.ROUTES,
    *outputcreation.ROUTES,
    *allinone.ROUTES,
    *datarecords.ROUTES,
    *entities.ROUTES,
    *others.ROUTES,
)

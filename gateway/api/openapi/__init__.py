"""The simplified face as an OpenAPI 3.1 document."""

from gateway.api.openapi.document import document

__all__ = ["document"]

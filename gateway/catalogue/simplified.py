"""The endpoints that the gateway answers itself, contract sections 3 and 6."""

from collections.abc import Mapping

from gateway.catalogue.endpoint import Endpoint, Role
from gateway.model import Kind


def _api(name: str, method: str, path: str) -> Endpoint:
    return Endpoint(f"api.{name}", method, path, Role.API)


_V1 = "/api/v1"

OPEN: tuple[Endpoint, ...] = (
    _api("index", "GET", "/"),
    _api("openapi", "GET", "/openapi.json"),
    _api("docs", "GET", "/docs"),
    _api("docs_asset", "GET", "/docs/{asset}"),
    _api("protected_resource", "GET", "/.well-known/oauth-protected-resource"),
    _api("demo_asset", "GET", "/demo/{asset}"),  # 404 unless run by ``olgw demo``
)
"""Public knowledge: answered without a token."""

SIMPLIFIED: tuple[Endpoint, ...] = (
    *OPEN,
    _api("me", "GET", f"{_V1}/me"),
    _api("list_pipelines", "GET", f"{_V1}/pipelines"),
    _api("run_pipeline", "POST", f"{_V1}/pipelines/{{name}}"),
    _api("create_jobs", "POST", f"{_V1}/jobs"),
    _api("create_output", "POST", f"{_V1}/outputs"),
    _api("list_operations", "GET", f"{_V1}/operations"),
    _api("get_operation", "GET", f"{_V1}/operations/{{operationId}}"),
    _api("get_operation_events", "GET", f"{_V1}/operations/{{operationId}}/events"),
    _api("get_operation_result", "GET", f"{_V1}/operations/{{operationId}}/result"),
    _api("cancel_operation", "DELETE", f"{_V1}/operations/{{operationId}}"),
    _api("get_job", "GET", f"{_V1}/jobs/{{jobId}}"),
    _api("get_job_contents", "GET", f"{_V1}/jobs/{{jobId}}/contents"),
    _api("get_jobs_properties", "GET", f"{_V1}/jobs/properties"),
    _api("update_jobs_properties", "PUT", f"{_V1}/jobs/properties"),
    _api("get_properties", "GET", f"{_V1}/{{entity}}/{{id}}/properties"),
    _api("replace_properties", "PUT", f"{_V1}/{{entity}}/{{id}}/properties"),
    _api("patch_properties", "PATCH", f"{_V1}/{{entity}}/{{id}}/properties"),
    _api("get_metadata", "GET", f"{_V1}/{{entity}}/{{id}}/metadata"),
    _api("replace_metadata", "PUT", f"{_V1}/{{entity}}/{{id}}/metadata"),
    _api("patch_metadata", "PATCH", f"{_V1}/{{entity}}/{{id}}/metadata"),
)

ENTITIES: Mapping[str, tuple[str, Kind]] = {
    "data-records": ("data_record_entity", Kind.DATA_RECORD),
    "data-sets": ("data_set_entity", Kind.DATA_SET),
    "content-items": ("content_item_entity", Kind.CONTENT_ITEM),
    "content-sets": ("content_set_entity", Kind.CONTENT_SET),
    "documents": ("document_entity", Kind.DOCUMENT),
    "document-sets": ("document_set_entity", Kind.DOCUMENT_SET),
    "jobs": ("job_entity", Kind.JOB),
    "job-segments": ("job_segment_entity", Kind.JOB_SEGMENT),
    "job-sets": ("job_set_entity", Kind.JOB_SET),
}
"""What ``{entity}`` may be: OL Connect's service and the kind of object."""

RIGHTS: Mapping[str, str] = {
    "api.create_jobs": "job_creation.process",
    "api.create_output": "output_creation.process_by_job_set",
    "api.get_job": "job_entity.get_job_segments",
    "api.get_job_contents": "job_entity.get_content_items",
    "api.get_jobs_properties": "job_entity.get_properties",
    "api.update_jobs_properties": "job_entity.update_multiple_properties",
    "api.get_properties": "{entity}.get_properties",
    "api.replace_properties": "{entity}.update_properties",
    "api.patch_properties": "{entity}.update_properties",
    "api.get_metadata": "{entity}.get_metadata",
    "api.replace_metadata": "{entity}.update_metadata",
    "api.patch_metadata": "{entity}.update_metadata",
}
"""The endpoint of OL Connect whose grant a simplified endpoint needs. The others need none of
their own: pipelines have a list in the team's settings, operations belong to who began them."""

ALTERNATIVES: Mapping[str, str] = {"api.create_output": "output_creation.process_by_job"}
"""Another grant that also lets in; which of the two is used depends on the body."""

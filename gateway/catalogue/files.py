"""Authentication, the File Store, statistics and conversion."""

from gateway.catalogue.endpoint import TEXT, Endpoint, Role
from gateway.model import Kind

_AUTH = "/authentication"
_STORE = "/filestore"


def _read(name: str, path: str, method: str = "GET") -> Endpoint:
    return Endpoint(f"file_store.{name}", method, f"{_STORE}/{path}", Role.READ, repeatable=True)


def _upload(name: str, path: str, kind: Kind = Kind.FILE) -> Endpoint:
    return Endpoint(
        f"file_store.{name}", "POST", f"{_STORE}/{path}", Role.UPLOAD, answer={TEXT: kind}
    )


FILES: tuple[Endpoint, ...] = (
    Endpoint("authentication.service_handshake", "GET", _AUTH, Role.HANDSHAKE, repeatable=True),
    Endpoint("authentication.login", "POST", f"{_AUTH}/login", Role.LOGIN),
    Endpoint(
        "authentication.service_version", "GET", f"{_AUTH}/version", Role.VERSION, repeatable=True
    ),
    Endpoint("file_store.service_handshake", "GET", _STORE, Role.HANDSHAKE, repeatable=True),
    Endpoint(
        "file_store.service_version", "GET", f"{_STORE}/version", Role.VERSION, repeatable=True
    ),
    _upload("upload_managed_file", "file/{fileId}"),
    _upload("upload_managed_directory", "dir/{fileId}"),
    _read("managed_file_exists", "file/{fileId}", "HEAD"),
    _read("download_managed_file", "file/{fileId}"),
    _read("download_file_of_directory", "file/{fileId}/{relPath}"),
    Endpoint("file_store.delete_managed_file", "GET", f"{_STORE}/delete/{{fileId}}", Role.DELETE),
    Endpoint(
        "file_store.delete_managed_file_post", "POST", f"{_STORE}/delete/{{fileId}}", Role.DELETE
    ),
    # Templates, data mapping configurations and presets: the company's, shared by its teams.
    _read("get_resources", "resources"),
    _upload("upload_data_file", "DataFile"),
    _upload("upload_data_mapping_configuration", "DataMiningConfig", Kind.PRESET),
    _upload("upload_template", "template", Kind.PRESET),
    _upload("upload_job_creation_preset", "JobCreationConfig", Kind.PRESET),
    _upload("upload_output_creation_preset", "OutputCreationConfig", Kind.PRESET),
    _read("get_data_mapping_runtime_parameters", "DataMiningConfig/runtimeparameters/{configId}"),
    _read("get_job_creation_runtime_parameters", "JobCreationConfig/runtimeparameters/{configId}"),
    _read("get_template_runtime_parameters", "template/runtimeparameters/{templateId}"),
    _read("get_template_report", "template/report/{templateId}"),
    Endpoint(
        "statistics.get_job_set_statistics",
        "GET",
        "/statistics/jobset/{jobSetId}",
        Role.READ,
        answer={
            "documents[].documentId": Kind.DOCUMENT,
            "documents[].contentItemId": Kind.CONTENT_ITEM,
            "documents[].dataRecordId": Kind.DATA_RECORD,
            "documentSets[].documentSetId": Kind.DOCUMENT_SET,
        },
        repeatable=True,
    ),
    Endpoint("conversion.rasterize", "POST", "/workflow/rasterize/{dataFileId}", Role.PREVIEW),
)

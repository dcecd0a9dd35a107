"""What a document is called when it is saved (RFC 6266)."""

from mimetypes import MimeTypes
from pathlib import PurePosixPath

from gateway.operation import Operation
from gateway.rules import headers

# Print formats of which the standard library knows nothing, or another first choice.
_EXTENSIONS = {
    "application/postscript": ".ps",
    "application/vnd.hp-pcl": ".pcl",
    "application/afp": ".afp",
    "application/vnd.ibm.modcap": ".afp",
    "application/octet-stream": ".bin",
}
# Its own table, not the machine's: the same name everywhere.
_TYPES = MimeTypes()


def disposition(operation: Operation, content_type: str) -> str:
    """``attachment``, with the uploaded file's name and the document's extension."""
    name = stem(operation) + extension(content_type)
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return headers.content_disposition(f'attachment; filename="{quoted}"')


def stem(operation: Operation) -> str:
    uploaded = (operation.filename or "").replace("\\", "/")
    own = PurePosixPath(uploaded).stem.strip()
    return own or operation.pipeline or "output"


def extension(content_type: str) -> str:
    media_type = content_type.partition(";")[0].strip().lower()
    return _EXTENSIONS.get(media_type) or _TYPES.guess_extension(media_type) or ".bin"

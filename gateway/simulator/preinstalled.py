"""The managed files a fresh simulator has, so that a demo works at once; their formats are ours."""

import io
import zipfile

from gateway.simulator.content import Bytes
from gateway.simulator.errors import SimulatorError
from gateway.simulator.files import DATAMAPPER, JOB_PRESET, OUTPUT_PRESET, TEMPLATE, FileStore

TYPE_OF_EXTENSION = {
    ".OL-datamapper": DATAMAPPER,
    ".OL-template": TEMPLATE,
    ".OL-jobpreset": JOB_PRESET,
    ".OL-outputpreset": OUTPUT_PRESET,
}

NAMES = (
    "Promo-EN.OL-datamapper",
    "Invoices-PDF.OL-datamapper",
    "letter-ol.OL-template",
    "invoice-ol.OL-template",
    "Invoices.OL-jobpreset",
    "Print-PDF.OL-outputpreset",
    "Separate-PDF.OL-outputpreset",
)

SECTION = """<!DOCTYPE html>
<html><head><title>{context}</title><link rel="stylesheet" href="css/default.css"></head>
<body><h1 class="greeting">Dear @FirstName@ @LastName@</h1>
<p id="text">This is the {context} section.</p></body></html>
"""


def install(files: FileStore, further: tuple[str, ...], *, created: float) -> None:
    for name in (*NAMES, *further):
        file_type = type_of(name)
        content = Bytes(template_archive() if file_type == TEMPLATE else preset_text(name))
        files.add(content, file_type=file_type, name=name, persistent=True, created=created)


def type_of(name: str) -> str:
    for extension, file_type in TYPE_OF_EXTENSION.items():
        if name.endswith(extension):
            return file_type
    endings = ", ".join(TYPE_OF_EXTENSION)
    raise SimulatorError(f"managed file {name!r} must end in one of: {endings}")


def preset_text(name: str) -> bytes:
    """A little XML that the engine reads its hints from: type of data, separation of output."""
    if name.endswith(".OL-datamapper"):
        kind = "PDF" if "PDF" in name else "CSV"
        return f'<datamapper type="{kind}"/>'.encode()
    separation = "document" if name.startswith("Separate") else "none"
    return f'<preset separation="{separation}"/>'.encode()


def zeros_preset(size: int) -> Bytes:
    return Bytes(f'<preset zeros="{size}"/>'.encode())


def template_archive() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as parts:
        for context in ("print", "web", "email"):
            text = SECTION.format(context=context)
            parts.writestr(f"public/document/{context}/Section 1.html", text)
        parts.writestr("public/document/css/default.css", "h1 { color: #224488; }\n")
    return archive.getvalue()

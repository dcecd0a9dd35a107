"""PDF pages and pictures that really open: the fields of a record, printed."""

import io
import zipfile
from collections.abc import Iterable, Sequence

from fpdf import FPDF
from PIL import Image, ImageDraw

Page = Sequence[str]  # its lines of text
INCHES = (8.27, 11.69)  # A4


def pdf(pages: Iterable[Page]) -> bytes:
    document = FPDF(format="A4")
    document.set_auto_page_break(False)
    document.set_font("helvetica", size=11)
    for page in pages:
        document.add_page()
        for line in page[:40]:
            # The fonts that every reader has know Latin-1 only.
            document.cell(text=line.encode("latin-1", "replace").decode("latin-1"))
            document.ln(7)
    return bytes(document.output())


def picture(page: Page, *, picture_type: str = "png", dpi: int = 96, quality: int = 75) -> bytes:
    width, height = (max(1, round(inches * dpi)) for inches in INCHES)
    image = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(image).multiline_text((dpi // 2, dpi // 2), "\n".join(page[:40]), fill="black")
    out = io.BytesIO()
    if picture_type == "png":
        image.save(out, "PNG")
    else:
        image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def archive(files: Iterable[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as parts:
        for name, content in files:
            parts.writestr(name, content)
    return out.getvalue()

"""PDF pages and pictures that really open: the fields of a record, printed."""

import io
import zipfile
from collections.abc import Iterable, Sequence

from fpdf import FPDF
from PIL import Image, ImageDraw

Page = Sequence[str]  # its lines of text
INCHES = (8.27, 11.69)  # A4
LINES_PER_PAGE = 36
BAND = (43, 80, 216)
RULE = (217, 222, 232)


def pdf(pages: Iterable[Page]) -> bytes:
    document = FPDF(format="A4")
    document.set_auto_page_break(False)
    for page in pages:
        document.add_page()
        document.set_draw_color(*RULE)
        document.set_y(28)
        for line in page[:LINES_PER_PAGE]:
            _print_field(document, line)
        _print_letterhead(document)
    return bytes(document.output())


def _print_letterhead(document: FPDF) -> None:
    """Last, so that it comes after the fields where text is extracted."""
    document.set_fill_color(*BAND)
    document.rect(0, 0, document.w, 14, style="F")
    document.set_text_color(255)
    document.set_font("helvetica", style="B", size=10)
    document.text(document.l_margin + 1, 8.8, "Printed by the OL Connect simulator")
    document.set_text_color(0)


def _print_field(document: FPDF, line: str) -> None:
    """``name: value`` with the value in bold, and a rule below it."""
    # The fonts that every reader has know Latin-1 only.
    name, separator, value = line.encode("latin-1", "replace").decode("latin-1").partition(": ")
    document.set_font("helvetica", size=11)
    label = name + separator
    document.cell(w=document.get_string_width(label), text=label)
    if value:
        document.set_font("helvetica", style="B", size=11)
        document.cell(text=value)
    below = document.get_y() + 6
    document.line(document.l_margin, below, document.w - document.r_margin, below)
    document.ln(7)


def picture(page: Page, *, picture_type: str = "png", dpi: int = 96, quality: int = 75) -> bytes:
    width, height = (max(1, round(inches * dpi)) for inches in INCHES)
    image = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(image).multiline_text(
        (dpi // 2, dpi // 2), "\n".join(page[:LINES_PER_PAGE]), fill="black"
    )
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

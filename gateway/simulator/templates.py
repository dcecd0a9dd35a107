"""Templates: a zip of sections per context, with @Field@ where data goes."""

import html
import io
import re
import zipfile
from collections.abc import Mapping
from html.parser import HTMLParser

from gateway.simulator.errors import Refusal
from gateway.simulator.files import ManagedFile

CONTEXTS = ("print", "web", "email")
FIELD = re.compile(r"@([^@<>\s]+)@")
SELECTOR = re.compile(r"(?P<tag>[a-zA-Z][\w-]*)?(?:#(?P<id>[\w-]+))?(?:\.(?P<cls>[\w-]+))?")
VOID_TAGS = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
    ]
)
STYLESHEET = re.compile(r'<link rel="stylesheet" href="([^"]+)">')
ROOT = "public/document/"
FOREIGN_SECTION = "Section 1"


class Template:
    """Raises Refusal 500 if the file is no template at all."""

    def __init__(self, file: ManagedFile) -> None:
        self.file = file
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(file.content.read()))
        except zipfile.BadZipFile as error:
            name = file.name or str(file.id)
            raise Refusal(500, f"Unable to open template {name}", str(file.id)) from error

    def sections(self, context: str) -> list[str]:
        """A template from elsewhere, with sections we cannot read, has one in every context."""
        if not any(self._section_files(each) for each in CONTEXTS):
            return [FOREIGN_SECTION]
        start = f"{ROOT}{context}/"
        names = self._section_files(context)
        return [name.removeprefix(start).removesuffix(".html") for name in names]

    def _section_files(self, context: str) -> list[str]:
        return [name for name in self.names() if name.startswith(f"{ROOT}{context}/")]

    def section(self, context: str, name: str = "") -> str:
        """The HTML of a section, the first one if no name is given."""
        sections = self.sections(context)
        if not sections:
            raise Refusal(400, f"{context.capitalize()} Context not found", str(self.file.id))
        if name and name not in sections:
            raise Refusal(400, "Section not found", name)
        if not self._section_files(context):
            return "<!DOCTYPE html>\n<html><body></body></html>\n"
        return self.resource(f"{context}/{name or sections[0]}.html").decode()

    def resource(self, path: str) -> bytes:
        """A part by its path below the document, or by its full path."""
        for name in (ROOT + path, path):
            if name in self._archive.NameToInfo:
                return self._archive.read(name)
        raise Refusal(
            400, "Unable to open resource within template or resource doesn't exist", path
        )

    def names(self) -> list[str]:
        return self._archive.namelist()


def filled(text: str, values: Mapping[str, object]) -> str:
    def value(found: re.Match[str]) -> str:
        return html.escape(str(values.get(found[1], "")))

    return FIELD.sub(value, text)


def with_styles(template: Template, text: str) -> str:
    """Stylesheets put into the page, as ``inline=CSS`` and ``ALL`` ask."""

    def style(found: re.Match[str]) -> str:
        return f"<style>{template.resource(found[1]).decode()}</style>"

    return STYLESHEET.sub(style, text)


def selected(text: str, css_selector: str) -> str:
    """Inner HTML of the first element that ``tag``, ``#id`` or ``.class`` matches; else empty."""
    wanted = SELECTOR.fullmatch(css_selector.strip())
    if wanted is None or not css_selector.strip():
        raise Refusal(500, "Invalid CSS selector", css_selector)
    finder = _Finder(text, wanted.groupdict())
    finder.feed(text)
    return text[finder.start : finder.end] if finder.end else ""


class _Finder(HTMLParser):
    """Finds where the inner HTML of the first match begins and ends."""

    def __init__(self, text: str, wanted: Mapping[str, str | None]) -> None:
        super().__init__()
        self._wanted = wanted
        self._lines = [0]
        for line in text.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        self._depth = 0
        self._inside_depth = 0
        self.start = 0
        self.end = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID_TAGS:
            return
        self._depth += 1
        if not self._inside_depth and not self.end and self._matches(tag, dict(attrs)):
            self._inside_depth = self._depth
            self.start = self._position() + len(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        if self._inside_depth == self._depth and not self.end:
            self.end = self._position()
            self._inside_depth = 0
        self._depth -= 1

    def _position(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def _matches(self, tag: str, attributes: Mapping[str, str | None]) -> bool:
        wanted = self._wanted
        return (
            wanted["tag"] in (None, tag)
            and wanted["id"] in (None, attributes.get("id"))
            and (wanted["cls"] is None or wanted["cls"] in (attributes.get("class") or "").split())
        )

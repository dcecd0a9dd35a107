"""Writes ``docs/reference.md`` from the code; a test holds the file to what this prints.

Run ``python docs/make_reference.py > docs/reference.md`` after changing a setting, a metric, a
problem, a command or an endpoint.
"""

from collections.abc import Iterator
from typing import Any

import click

from gateway.catalogue import CATALOGUE, SIMPLIFIED
from gateway.cli import main as commands
from gateway.metrics import Metrics
from gateway.problems import PROBLEMS
from gateway.settings import schema

INTRODUCTION = """# Reference

Made from the code by `python docs/make_reference.py`; do not edit by hand.

[Commands](#commands) · [Settings](#settings) · [Problems](#problems) · [Metrics](#metrics) ·
[Endpoints](#endpoints)"""


def reference() -> str:
    sections = (_commands, _settings, _problems, _metrics, _endpoints)
    return "\n".join([INTRODUCTION, *(line for section in sections for line in section())]) + "\n"


def _commands() -> Iterator[str]:
    yield from ("", "## Commands", "", "| command | does |", "| --- | --- |")
    for path, command in _leaves("olgw", commands):
        summary = (command.help or "").partition("\n\n")[0]
        yield f"| `{path}` | {_cell(summary)} |"


def _leaves(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield f"{path}{_usage(command)}", command
        return
    for name, child in sorted(command.commands.items()):
        yield from _leaves(f"{path} {name}", child)


def _usage(command: click.Command) -> str:
    words = []
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            words.append((parameter.name or "").upper())
            continue
        word = parameter.opts[0] if getattr(parameter, "is_flag", False) else _valued(parameter)
        words.append(word if parameter.required else f"[{word}]")
    return "".join(f" {word}" for word in words)


def _valued(parameter: click.Parameter) -> str:
    return f"{parameter.opts[0]} {(parameter.name or '').upper()}"


def _settings() -> Iterator[str]:
    yield from (
        "",
        "## Settings",
        "",
        "One YAML 1.2 file; unknown and duplicate keys are errors. Durations are `250ms`, `30s`,",
        "`5m`, `1h`; sizes `64KiB`, `2GiB`. A secret is `{env: NAME}`, `{file: PATH}` or",
        "`{value: TEXT}`. `NAME` stands for a name of your choice.",
        "",
        "| key | default | meaning |",
        "| --- | --- | --- |",
    )
    document = schema()
    yield from _keys(document, document, "")


def _keys(document: dict[str, Any], node: dict[str, Any], prefix: str) -> Iterator[str]:
    for name, field in node.get("properties", {}).items():
        path = f"{prefix}{name}"
        required = name in node.get("required", ())
        default = "required" if required else _default(field)
        yield f"| `{path}` | {default} | {_cell(field.get('description', ''))} |"
        yield from _below(document, field, path)


def _below(document: dict[str, Any], field: dict[str, Any], path: str) -> Iterator[str]:
    for part in (field, *field.get("anyOf", ()), *field.get("allOf", ())):
        target = _resolved(document, part)
        if target.get("title") in _LEAVES:
            continue
        yield from _keys(document, target, f"{path}.")
        for inner, mark in (("additionalProperties", ".NAME"), ("items", "[]")):
            child = target.get(inner)
            if isinstance(child, dict):
                yield from _keys(document, _resolved(document, child), f"{path}{mark}.")
        for child in target.get("patternProperties", {}).values():
            yield from _keys(document, _resolved(document, child), f"{path}.NAME.")


# Secrets are explained once, above the table.
_LEAVES = frozenset({"Secret"})


def _resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    if reference is None:
        return node
    found: dict[str, Any] = document["$defs"][reference.rpartition("/")[2]]
    return found


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    return "" if default is None or isinstance(default, dict | list) else f"`{default}`"


def _problems() -> Iterator[str]:
    yield from ("", "## Problems", "", "| code | status | title |", "| --- | --- | --- |")
    for problem in PROBLEMS.values():
        yield f"| `{problem.code}` | {problem.status} | {problem.title} |"


def _metrics() -> Iterator[str]:
    yield from ("", "## Metrics", "", "| metric | kind | labels | meaning |")
    yield "| --- | --- | --- | --- |"
    for collector in Metrics().registry._collector_to_names:
        family = next(iter(collector.describe()))
        suffix = "_total" if family.type == "counter" else ""
        labels = ", ".join(getattr(collector, "_labelnames", ())) or "none"
        text = _cell(family.documentation)
        yield f"| `{family.name}{suffix}` | {family.type} | {labels} | {text} |"


def _endpoints() -> Iterator[str]:
    yield from ("", "## Endpoints", "", "| name | request | role |", "| --- | --- | --- |")
    for row in (*CATALOGUE, *SIMPLIFIED):
        yield f"| `{row.name}` | {row.method} `{row.template}` | {row.role.value} |"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    print(reference(), end="")

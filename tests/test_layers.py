"""Imports point one way, decisions do no I/O, and every module can be imported by itself."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "gateway").rglob("*.py"))
NO_IO = ("aiohttp", "asyncio", "time", "os", "random", "sqlite3", "socket", "redis", "structlog")

# Each may import from its own line and from those below it.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("cli", "__main__"),
    ("run", "demo", "demopage", "doctor", "greeting", "supervisor", "worker"),
    ("app",),
    ("wiring",),
    ("public", "observe", "listener", "server", "admin", "pipeline", "api", "rendering", "express"),
    ("facets", "requests", "relay", "starts", "watch", "poller", "outcome", "front"),
    ("attempts", "recovery"),
    ("ownership", "limits", "learning", "bodies", "answers", "requestlog", "audit", "connections"),
    ("explain", "exposition", "hardening", "logs", "merging", "routelist", "sdnotify", "telemetry"),
    ("cache", "ledger", "owners", "connect", "metrics"),
    ("families",),
    ("auth", "upstream", "stores"),
    ("rules",),
    ("catalogue", "settings", "exchange", "operation", "risks", "inbound"),
    ("model", "problems", "tasks", "budget", "lines"),
)
OUTSIDE = frozenset({"", "__version__", "simulator"})
RANKS = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            # ``from gateway import x`` names the module x.
            yield from (
                f"{module}.{alias.name}" if module == "gateway" else module for alias in node.names
            )


def _part(module: str) -> str:
    """``gateway.rules.paths`` belongs to ``rules``."""
    return [*module.split("."), ""][1]


@pytest.mark.parametrize("path", FILES, ids=_module)
def test_imports_point_one_way(path: Path) -> None:
    part = _part(_module(path))
    if part in OUTSIDE:
        return
    assert part in RANKS, f"{_module(path)} stands in no layer"
    for imported in _imports(path):
        if imported.startswith("gateway.") and (other := _part(imported)) not in OUTSIDE:
            assert RANKS[other] >= RANKS[part], f"{_module(path)} imports {imported}"


@pytest.mark.parametrize(
    "path", [path for path in FILES if "rules" in path.parts or "catalogue" in path.parts]
)
def test_rules_do_no_io(path: Path) -> None:
    for imported in _imports(path):
        assert imported.partition(".")[0] not in NO_IO, f"{path.name} imports {imported}"


@pytest.mark.parametrize("path", [path for path in FILES if "simulator" in path.parts], ids=_module)
def test_the_simulator_stands_outside(path: Path) -> None:
    for imported in _imports(path):
        inside = not imported.startswith("gateway") or imported.startswith("gateway.simulator")
        assert inside, f"{_module(path)} imports {imported}"


def test_only_what_starts_the_demo_imports_the_simulator() -> None:
    importing = {
        _part(_module(path))
        for path in FILES
        if "simulator" not in path.parts
        and any(imported.startswith("gateway.simulator") for imported in _imports(path))
    }
    assert importing <= {"cli", "demo", "demopage"}


_EACH_ALONE = """
import importlib, sys
packages, modules = {packages!r}, {modules!r}
shown = set()
for name in packages + modules:
    if name in shown:
        continue
    part = ".".join(name.split(".")[:2])
    for loaded in [module for module in sys.modules if (module + ".").startswith(part + ".")]:
        del sys.modules[loaded]
    importlib.import_module(name)
    if name in packages:  # its modules cannot come before it, and some come with it
        shown |= set(module for module in sys.modules if module.startswith(name + "."))
"""


def test_every_module_can_be_imported_first() -> None:
    """In an interpreter in which a warning is an error, each before the rest of its own part;
    other parts stay loaded, for the order of layers keeps them from importing this one."""
    packages = [_module(path) for path in FILES if path.name == "__init__.py"]
    modules = [_module(path) for path in FILES if not path.name.startswith("__")]
    ran = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-c"),
            _EACH_ALONE.format(packages=packages[1:], modules=modules),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")

"""Coverage-guided fuzzing of one parser with Atheris: ``atheris_parsers.py NAME -runs=N``.

Not collected by pytest; ``make fuzz`` runs it over all parsers. Without NAME it lists them.
"""

import importlib.util
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _parsers() -> dict[str, tuple[Callable[[bytes], object], tuple[type[Exception], ...]]]:
    spec = importlib.util.spec_from_file_location("parsers", ROOT / "tests/support/parsers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.PARSERS)


def main() -> None:
    sys.path.insert(0, str(ROOT))
    if len(sys.argv) < 2:
        print("\n".join(_parsers()))
        return
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: PLC0415

    with atheris.instrument_imports(include=["gateway"]):
        parsers = _parsers()
    parse, refusals = parsers[sys.argv.pop(1)]

    def once(data: bytes) -> None:
        with suppress(*refusals):
            parse(data)

    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

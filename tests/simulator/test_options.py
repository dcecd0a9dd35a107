"""Options from text and JSON, and the mistakes one can make with them."""

from typing import Any

import pytest

from gateway.simulator.errors import SimulatorError
from gateway.simulator.options import Options, User, changed


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("security", "off", False),
        ("cors", True, True),
        ("auth_generation", "2020", 2020),
        ("done_seconds", "1.5", 1.5),
        ("link_form", "comma", "comma"),
        ("managed_files", "a.OL-template,b.OL-jobpreset", ("a.OL-template", "b.OL-jobpreset")),
        ("users", '{"a": "b"}', {"a": User("b")}),
        ("users", {"a": {"password": "b", "roles": ["R"]}}, {"a": User("b", ("R",))}),
        ("route_roles", {"GET /entity": ["R"]}, {"GET /entity": ("R",)}),
    ],
)
def test_values_from_text_and_json(name: str, text: Any, expected: Any) -> None:
    assert getattr(changed(Options(), {name: text}), name) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"speed": 1, "colour": 2}, "no such option: colour, speed"),
        ({"link_form": "tree"}, "link_form cannot be 'tree'; choose one of: lines, comma"),
        ({"auth_generation": "2021"}, "choose one of: 2019, 2020, 2023"),
        ({"done_seconds": "soon"}, "done_seconds cannot be 'soon'"),
        ({"security": "maybe"}, "security cannot be 'maybe'"),
        ({"operation_seconds": -1}, "operation_seconds cannot be negative"),
        ({"users": "{"}, "users is not JSON"),
        ({"users": "[]"}, "users must be a JSON dict"),
        ({"users": {"a": {}}}, "users: a needs a password"),
    ],
)
def test_mistakes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SimulatorError) as mistake:
        changed(Options(), changes)
    assert message in str(mistake.value)


def test_passwords_do_not_show() -> None:
    assert "hidden" not in repr(Options(users={"a": User("hidden")}))

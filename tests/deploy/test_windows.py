"""The service description for WinSW, as far as it can be judged without Windows."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.settings import Listen

# The elements of WinSW 2.12 that are used; a misspelt one would be passed over in silence.
KNOWN = {
    "id", "name", "description", "executable", "arguments", "workingdirectory", "env", "startmode",
    "delayedAutoStart", "depend", "stoptimeout", "stopparentprocessfirst", "onfailure",
    "resetfailure", "serviceaccount", "logpath", "log",
}  # fmt: skip


@pytest.fixture
def service(deploy: Path) -> ET.Element:
    return ET.parse(deploy / "windows/olgw-service.xml").getroot()


def _text(service: ET.Element, name: str) -> str:
    text = service.findtext(name)
    assert text, name
    return text


def test_it_is_a_service_of_known_elements(service: ET.Element) -> None:
    assert service.tag == "service"
    assert {element.tag for element in service} == KNOWN


def test_the_command_is_one_that_the_gateway_knows(service: ET.Element) -> None:
    module, *command = re.findall(r'"[^"]+"|\S+', _text(service, "arguments").removeprefix("-m "))
    assert module == "gateway"
    answer = CliRunner().invoke(main, [*command, "--help"])
    assert answer.exit_code == 0, answer.output


def test_a_stop_waits_longer_than_the_gateway_drains(service: ET.Element) -> None:
    seconds = int(_text(service, "stoptimeout").removesuffix(" sec"))
    assert seconds > Listen().drain_timeout + 10


def test_it_does_not_run_as_the_system(service: ET.Element) -> None:
    assert service.findtext("serviceaccount/user") == "LocalService"


def test_the_steps_name_the_folders_of_the_service(service: ET.Element, deploy: Path) -> None:
    steps = (deploy / "windows/README.md").read_text(encoding="utf-8")
    for name in ("executable", "workingdirectory", "logpath"):
        assert _text(service, name) in steps

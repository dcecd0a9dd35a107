"""What ``olgw demo`` says when it runs: where things are, two tokens, and commands that work."""

from collections.abc import Mapping
from dataclasses import dataclass

_SAMPLE = '[{"Customer": "CU00048376", "Name": "Jane Doe", "Amount": "129.50"}]'


@dataclass(frozen=True, slots=True)
class Places:
    """The demo's URLs."""

    public: str
    admin: str
    simulator: str
    issuer: str


def greeting(places: Places, tokens: Mapping[str, str], *, powershell: bool) -> str:
    """``powershell`` is what Windows has; other systems' shells are alike."""
    commands = _powershell(places.public) if powershell else _shell(places.public)
    first, operations, others, upload = commands
    assignment = "${} = '{}'" if powershell else "export {}='{}'"
    assigned = "\n".join(assignment.format(team.upper(), text) for team, text in tokens.items())
    return f"""
The demo is running. Open {places.public}/ in a browser, or go on in a second terminal.

  gateway     {places.public}
  API         {places.public}/docs
  metrics     {places.admin}/metrics
  OL Connect  {places.simulator} (simulated)
  issuer      {places.issuer}

Two tokens, of two teams:

{assigned}

An invoice, from its data to the PDF, in one call:

{first}

What the team has done, remembered for a day, although OL Connect has forgotten it by now:

{operations}

The same for the other team, for which it does not exist:

{others}

OL Connect's own API, with the token instead of a password; here, the upload of a data file:

{upload}

Ctrl-C ends it.
"""


def _shell(public: str) -> tuple[str, str, str, str]:
    ask = "curl -sS -H \"Authorization: Bearer ${}\" '{}/api/v1/operations?limit=3'"
    return (
        f"""curl -sS -H "Authorization: Bearer $BILLING" -H 'Prefer: wait=30' \\
  -H 'Content-Type: application/json' -d '{_SAMPLE}' \\
  '{public}/api/v1/pipelines/invoice?filename=invoice.json' -o invoice.pdf""",
        ask.format("BILLING", public),
        ask.format("MARKETING", public),
        f"""curl -sS -H "Authorization: Bearer $BILLING" \\
  -H 'Content-Type: application/json' -d '{_SAMPLE}' \\
  '{public}/rest/serverengine/filestore/DataFile?filename=invoice.json'""",
    )


def _powershell(public: str) -> tuple[str, str, str, str]:
    billing, marketing = (f'Authorization = "Bearer ${team}"' for team in ("BILLING", "MARKETING"))
    ask = f"Invoke-RestMethod -Uri '{public}/api/v1/operations?limit=3' -Headers"
    data = f"-Method Post -ContentType 'application/json' -Body '{_SAMPLE}'"
    return (
        f"Invoke-WebRequest -UseBasicParsing -OutFile invoice.pdf {data} `\n"
        f"  -Headers @{{ {billing}; Prefer = 'wait=30' }} `\n"
        f"  -Uri '{public}/api/v1/pipelines/invoice?filename=invoice.json'",
        f"{ask} @{{ {billing} }}",
        f"{ask} @{{ {marketing} }}",
        f"Invoke-RestMethod {data} `\n"
        f"  -Headers @{{ {billing} }} `\n"
        f"  -Uri '{public}/rest/serverengine/filestore/DataFile?filename=invoice.json'",
    )

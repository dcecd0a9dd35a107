"""The ``Prefer`` header field (RFC 7240), as far as the gateway honours it."""

import re
from collections.abc import Iterable

LONGEST_WAIT_SECONDS = 120

# A preference, then perhaps a value, then perhaps parameters, which nothing here has.
_WAIT = re.compile(r"wait\s*=\s*(?:(\d{1,9})|\"(\d{1,9})\")\s*(?:;.*)?", re.IGNORECASE | re.ASCII)
# Read once from left to right: to look ahead at every comma takes seconds for 30 KB of them.
_PREFERENCE = re.compile(r"(?:[^\",]++|\"[^\"]*+\"?+)++")


def wait_seconds(values: Iterable[str]) -> int | None:
    """How long the caller would wait, at most 120 s; None where it does not say.

    The first ``wait`` counts (section 2); a value that is no number of seconds is ignored.
    """
    for value in values:
        for preference in _PREFERENCE.findall(value):
            text = preference.strip()
            if text.partition("=")[0].strip().lower() != "wait":
                continue
            found = _WAIT.fullmatch(text)
            if found is None:
                return None
            return min(int(found[1] or found[2]), LONGEST_WAIT_SECONDS)
    return None

"""What OL Connect's progress text means (cookbook: 0 to 100, then ``done``)."""

DONE = b"done"


def percent_of(text: bytes) -> int | None:
    """0 to 100; ``done`` is 100. None for what is no progress."""
    text = text.strip()
    if text == DONE:
        return 100
    if not text.isdigit() or len(text) > 3:
        return None
    return min(int(text), 100)


def is_done(text: bytes) -> bool:
    return text.strip() == DONE

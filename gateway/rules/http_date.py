"""Dates as header fields have them (RFC 9110 section 5.6.7)."""

from datetime import UTC, datetime


def unix_time(text: str | None) -> float | None:
    """An HTTP-date in the form that is not obsolete; None for everything else."""
    try:
        date = datetime.strptime(text or "", "%a, %d %b %Y %H:%M:%S GMT")
    except ValueError:
        return None
    return date.replace(tzinfo=UTC).timestamp()

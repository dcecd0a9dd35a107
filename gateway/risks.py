"""The risks that an operator may take knowingly, each by the flag that names it."""

from enum import StrEnum


class Risk(StrEnum):
    """``--insecure-<value>`` is the flag."""

    SECRET_FILES = "secret-files"  # noqa: S105 - a name, not a secret
    ADMIN_ADDRESS = "admin-address"
    UPSTREAM_TLS = "upstream-tls"
    HTTP_ISSUER = "http-issuer"
    PYTHON_PARSER = "python-parser"

    @property
    def flag(self) -> str:
        return f"--insecure-{self.value}"

    @property
    def words(self) -> str:
        return _WORDS[self]


_WORDS = {
    Risk.SECRET_FILES: "Take secrets from files that others can read.",
    Risk.ADMIN_ADDRESS: "Let the admin listener be reached from other machines.",
    Risk.UPSTREAM_TLS: "Let upstream.tls.verify be false.",
    Risk.HTTP_ISSUER: "Let issuers be on plain http off this machine.",
    Risk.PYTHON_PARSER: "Do without aiohttp's parser in C.",
}

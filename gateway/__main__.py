"""``python -m gateway``: the same commands as ``olgw``."""

from gateway.cli import main

main()

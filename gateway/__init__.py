"""An API gateway for OL Connect Server."""

__version__ = "0.1.0"

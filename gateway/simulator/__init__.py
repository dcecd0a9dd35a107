"""A stand-in for OL Connect Server, for tests and the demo; it imports nothing from the gateway."""

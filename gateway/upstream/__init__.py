"""OL Connect Server: how the gateway talks to it, and as whom."""

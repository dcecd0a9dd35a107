"""The benchmark: the gateway beside what people would pick instead, on the same work."""

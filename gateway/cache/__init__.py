"""The property cache: what entities' properties and metadata are, without asking OL Connect again.

It never gives out what a write through the gateway has made stale, on one machine or on many.
"""

from gateway.cache.entries import CacheKey, Fetched, Freshness, Recalled
from gateway.cache.properties import PropertyCache, Write

__all__ = ["CacheKey", "Fetched", "Freshness", "PropertyCache", "Recalled", "Write"]

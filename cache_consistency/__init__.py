"""Caches that are never stale: policies in Meta, reads through ``Model.cached``, invalidation bracketing every commit."""

__version__ = "0.1.0"

"""A shop: accounts, catalog, orders. It shows the library at work, and keeps the hand-made caching it once had for comparison."""

from example_project.celery import app as celery_app

__all__ = ["celery_app"]

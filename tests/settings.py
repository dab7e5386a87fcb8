"""
Settings of the tests, the type checker and the processes that tests start.

``default`` and ``other`` are SQLite files. ``postgres`` exists when ``CACHE_CONSISTENCY_TEST_DATABASE_URL`` names a server; in a test run
without it `tests/conftest.py` starts a private server for the tests that ask for that alias. A process started by a test gets the addresses
of that test's databases and Redis through the same variables (fixture ``child_environment``).
"""

import os
from pathlib import Path
from typing import Any

from tests.databases import postgres_settings, sqlite_settings

ROOT = Path(__file__).resolve().parent.parent
RUN = ROOT / ".run" / "tests"

SECRET_KEY = "only-for-tests"
DEBUG = False
USE_TZ = True
TIME_ZONE = "UTC"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "cache_consistency",
    "tests.testapp",
    "tests.shelf",
    "tests.capture",
    "tests.scenarios",
    "tests.strange",
    "tests.reading",
    "example_project.accounts",
    "example_project.catalog",
    "example_project.orders",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "static/"

DATABASES: dict[str, dict[str, Any]] = {
    "default": sqlite_settings("default", folder=RUN),
    "other": sqlite_settings("other", folder=RUN),
}
if url := os.environ.get("CACHE_CONSISTENCY_TEST_DATABASE_URL"):
    DATABASES["postgres"] = postgres_settings(url)

# `consistent` is for tests that speak to a real server; nobody listens at the address that stands here without one.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "consistent": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": os.environ.get("CACHE_CONSISTENCY_TEST_REDIS_URL", "redis://127.0.0.1:1/0"),
    },
}
CACHE_CONSISTENCY: dict[str, Any] = {}

"""Settings of a small project; the test that starts a process gives what differs as JSON in the variable ``COMPAT_SETTINGS``."""

import json
import os
from typing import Any

GIVEN: dict[str, Any] = json.loads(os.environ["COMPAT_SETTINGS"])

SECRET_KEY = "only-for-tests"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.compat.depot.urls"
STATIC_URL = "static/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
MIDDLEWARE: list[str] = GIVEN.pop("MIDDLEWARE", [])
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DEPOT_DECLARED = True
CACHES: dict[str, dict[str, Any]] = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
CACHE_CONSISTENCY: dict[str, Any] = {"CACHE": "default", "QUARANTINE": 0}
OURS: bool = GIVEN.pop("OURS", True)
INSTALLED_APPS: list[str] = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
    *(["cache_consistency"] if OURS else []),
    "tests.compat.depot",
    *GIVEN.pop("MORE_APPS", []),
]
DATABASES: dict[str, dict[str, Any]] = {}
globals().update(GIVEN)

"""Settings of the shop. It runs as it is; `environment` lists what may be set from outside."""

from example_project import environment

_env = environment.read()
_redis = _env.get("REDIS_URL", "redis://127.0.0.1:6379/0")

BASE_DIR = environment.BASE
DEBUG = _env.get("DEBUG", "1") == "1"
SECRET_KEY = _env.get("SECRET_KEY", "a key for an example that holds nobody's data")
ALLOWED_HOSTS = _env.get("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1],testserver").split(",")
ROOT_URLCONF = "example_project.urls"
WSGI_APPLICATION = "example_project.wsgi.application"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "cache_consistency",
    "example_project.accounts",
    "example_project.catalog",
    "example_project.orders",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "example_project.middleware.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "example_project" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "example_project.reads.context",
            ]
        },
    }
]

DATABASES = {"default": environment.database(_env.get("DATABASE_URL", f"sqlite:///{BASE_DIR / 'db.sqlite3'}"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": environment.redis_database(_redis, 0)},
    "consistent": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": environment.redis_database(_redis, 1)},
}
SHOP_CACHE = _env.get("CACHE", "consistent")
"""Where the services read: ``consistent``, ``naive`` or ``off``; see `example_project.reads`."""
CACHE_CONSISTENCY = {"CACHE": "consistent" if SHOP_CACHE == "consistent" else None}

CELERY_BROKER_URL = _env.get("CELERY_BROKER_URL", environment.redis_database(_redis, 2))
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BEAT_SCHEDULE: dict[str, object] = {}

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "accounts:profile"
LOGOUT_REDIRECT_URL = "catalog:home"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "example_project" / "static"]
STATIC_ROOT = BASE_DIR / ".run" / "static"

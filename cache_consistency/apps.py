"""
The app: Meta learns our options when this module is imported, before any models are; the rest waits for the first declaration.

A project that declares nothing has nothing replaced. Neither importing this nor `ready` opens a connection or starts a thread.
"""

from __future__ import annotations

from django.apps import AppConfig

from cache_consistency import conf
from cache_consistency.declare import tracked
from cache_consistency.declare.meta import install_option_names


def begin() -> None:
    """Put the hooks in place, if anything is declared and switched on; doing it twice changes nothing."""
    settings = conf.app_settings()
    if not (tracked.any_declared() and settings.ENABLED and settings.CACHE):
        return
    from cache_consistency.capture import hooks, sink
    from cache_consistency.invalidation import idle
    from cache_consistency.invalidation.service import Service
    if sink.installed() is None:
        sink.install(Service())
    hooks.install()
    idle.connect()


install_option_names()
tracked.on_first(begin)
conf.on_change(begin)


class CacheConsistencyConfig(AppConfig):
    """``INSTALLED_APPS = [..., "cache_consistency"]``"""

    name = "cache_consistency"
    verbose_name = "Cache consistency"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from cache_consistency.declare.checks import register_checks
        from cache_consistency.invalidation.receivers import connect
        from cache_consistency.invalidation.registry import registry
        register_checks()
        registry.on_register(connect)
        begin()                                                      # again: Celery may have been imported since the first declaration

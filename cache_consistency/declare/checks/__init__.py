"""
System checks: what is wrong with the settings and declarations of a project, found before production finds it.

None of them raises, and none touches the database. Only those of ``check --deploy`` speak to the store, and report it as a warning when it
does not answer. `CHECKS` lists every id; users silence one with ``SILENCED_SYSTEM_CHECKS``.
"""

from __future__ import annotations

from django.core import checks

from cache_consistency.declare.checks.catalogue import CHECKS
from cache_consistency.declare.checks.declared import check_declarations, check_dependencies
from cache_consistency.declare.checks.server import check_deployment
from cache_consistency.declare.checks.settings import check_databases, check_settings
from cache_consistency.declare.checks.store import check_store

__all__ = ["CHECKS", "TAG", "register_checks"]

TAG = "cache_consistency"
"""``manage.py check --tag cache_consistency`` runs these alone."""


def register_checks() -> None:
    """Register every check; idempotent, and cheap enough for ``ready()``: nothing is looked at yet."""
    for check in (check_settings, check_databases, check_store, check_declarations, check_dependencies):
        checks.register(check, TAG)
    checks.register(check_deployment, TAG, deploy=True)

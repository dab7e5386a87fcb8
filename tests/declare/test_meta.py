import subprocess
import sys
from pathlib import Path

import pytest
from django.db.models import Model, options

from cache_consistency.declare import meta

REPOSITORY = Path(__file__).resolve().parents[2]


MANAGE = """
import sys
sys.path[:0] = [{repository!r}, {folder!r}]
if {first!r} == "migrations":
    import django.db.migrations.state
from cache_consistency.declare.meta import install_option_names
install_option_names()
if {first!r} == "options":
    import django.db.migrations.state
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["shop"], DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {folder!r} + "/db.sqlite3"}}}},
)
django.setup()
from django.core.management import call_command
call_command(*sys.argv[1:])
"""

MODELS = """
from django.db import models

class Base(models.Model):
    class Meta:
        abstract = True
        cache_policy = {"ttl": "10m"}

class Product(Base):
    name = models.CharField(max_length=10)

class Review(models.Model):
    product = models.ForeignKey(Product, models.CASCADE)
    class Meta:
        verbose_name = "opinion"
        cache_policy = {"ttl": 5}
        cache_dependencies = ["product"]
"""


@pytest.mark.parametrize("first", ["migrations", "options"])
def test_migrations_never_show_our_options_whoever_is_imported_first(tmp_path: Path, first: str) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "models.py").write_text(MODELS)
    script = tmp_path / "manage.py"
    script.write_text(MANAGE.format(repository=str(REPOSITORY), folder=str(tmp_path), first=first))

    def manage(*arguments: str) -> str:
        done = subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    manage("makemigrations", "shop")
    written = (tmp_path / "shop" / "migrations" / "0001_initial.py").read_text()
    assert "opinion" in written
    assert "cache_" not in written
    assert "No changes detected" in manage("makemigrations")
    manage("migrate", "-v0")
    manage("makemigrations", "--check")


def test_installing_the_names_twice_adds_them_once() -> None:
    meta.install_option_names()
    meta.install_option_names()
    assert [name for name in options.DEFAULT_NAMES if name in meta.OPTION_NAMES] == list(meta.OPTION_NAMES)


def test_options_are_inherited_from_abstract_parents_as_django_does() -> None:
    from tests.declare import models

    said: dict[type[Model], object] = {
        models.Inherits: {"ttl": "1h"}, models.InheritsExplicitly: {"ttl": "1h"}, models.Drops: None, models.Declines: None,
    }
    assert {model: meta.policy_of(model) for model in said} == said
    assert meta.dropped_policy(models.Drops) is models.Cacheable
    assert [model for model in said if meta.dropped_policy(model)] == [models.Drops]


def test_no_model_keeps_our_options_where_migrations_look() -> None:
    from tests.declare import models

    assert "cache_policy" not in models.Product._meta.original_attrs
    assert "constraints" in models.Product._meta.original_attrs
    assert meta.dependencies_of(models.Product)[0] == "category"

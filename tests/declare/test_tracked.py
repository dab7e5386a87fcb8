import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from django.db import models as django_models
from django.test import override_settings
from django.test.utils import isolate_apps

from cache_consistency.declare import tracked
from cache_consistency.declare.policy import CachePolicy
from cache_consistency.exceptions import DeclarationError

REPOSITORY = Path(__file__).resolve().parents[2]
LABEL = "declare_tests"


def _tables() -> set[str]:
    return {name.removeprefix(LABEL + "_") for name in tracked.tables() if name.startswith(LABEL)}


def _lookups(table: str) -> list[str]:
    found = tracked.table(f"{LABEL}_{table}")
    assert found is not None
    return sorted(field.name for field in found.lookups)


def test_the_policy_of_meta_counts_for_the_model_and_its_proxies() -> None:
    from tests.declare.models import Category, Declines, Drops, FancyProduct, Inherits, Product

    assert tracked.policy_for(Product) == CachePolicy(ttl=600, lookups=["category"])
    assert tracked.policy_for(FancyProduct) is tracked.policy_for(Product)
    assert tracked.policy_for(Inherits) == CachePolicy(ttl=3600)
    assert [tracked.policy_for(model) for model in (Category, Declines, Drops)] == [None, None, None]


def test_unique_fields_are_lookups_without_being_named_unless_a_condition_limits_them() -> None:
    from tests.declare.models import Category, FancyProduct, Product

    names = tracked.lookup_fields(Product)
    assert sorted(names) == ["barcode", "category", "category_id", "id", "pk", "sku"]
    assert names["pk"] is names["id"] is Product._meta.pk
    assert names["category_id"] is names["category"] is Product._meta.get_field("category")
    assert tracked.lookup_fields(FancyProduct) is names
    assert tracked.lookup_fields(Category) == {}
    assert _lookups("product") == ["barcode", "category", "sku"]


def test_the_list_holds_parents_through_tables_and_dependency_targets() -> None:
    own = {"product", "product_labels", "placement"}
    targets = {"category", "supplier", "country", "review", "pricelist"}
    parents = {"comic", "book", "item"}
    assert _tables() == own | targets | parents | {"line", "inherits", "inheritsexplicitly"}
    assert _lookups("category") == []                       # tracked only because products depend on it: nobody looks it up


def test_a_childs_lookup_on_a_parents_field_belongs_to_the_parents_table() -> None:
    assert _lookups("comic") == ["issue"]
    assert _lookups("book") == ["isbn"]
    assert _lookups("item") == ["code", "title"]


def test_a_parents_pk_seen_from_the_child_is_the_childs_link() -> None:
    from tests.declare.models import Comic

    names = tracked.lookup_fields(Comic)
    assert names["pk"] is names["book_ptr"] is names["id"] is names["item_ptr"] is names["item_ptr_id"]
    assert names["title"].model.__name__ == "Item"


def test_a_member_of_a_composite_pk_may_be_a_lookup() -> None:
    from tests.declare.models import Line

    found = tracked.table("declare_tests_line")
    assert found is not None
    assert [field.name for field in found.pk_fields] == ["order", "number"]
    assert [field.name for field in found.lookups] == ["number"]
    assert sorted(tracked.lookup_fields(Line)) == ["number", "pk"]


def test_the_settings_win_over_register_which_wins_over_meta() -> None:
    from tests.declare.models import Category, Product

    before = tracked.version()
    assert tracked.register(Product, ttl=1).ttl == 1.0
    tracked.register(Category, {"ttl": 2})
    assert tracked.version() > before
    assert tracked.policy_for(Product) == CachePolicy(ttl=1)
    assert "category" not in tracked.lookup_fields(Product)                  # replaced as a whole, not merged
    assert tracked.policy_for(Category) == CachePolicy(ttl=2)
    with override_settings(CACHE_CONSISTENCY={"MODELS": {f"{LABEL}.Product": {"ttl": 3}, f"{LABEL}.*": {"ttl": 4}}}):
        assert tracked.policy_for(Product) == CachePolicy(ttl=3)
        assert tracked.policy_for(Category) == CachePolicy(ttl=4)
    assert tracked.policy_for(Product) == CachePolicy(ttl=1)
    tracked.unregister(Product)
    assert tracked.policy_for(Product) == CachePolicy(ttl=600, lookups=["category"])


def test_the_settings_can_switch_a_model_off() -> None:
    from tests.declare.models import Product

    with override_settings(CACHE_CONSISTENCY={"MODELS": {f"{LABEL}.Product": None}}):
        assert tracked.policy_for(Product) is None


def test_a_wildcard_means_managed_models_that_own_their_table() -> None:
    from tests.declare.models import Label, View, Window

    with override_settings(CACHE_CONSISTENCY={"MODELS": {f"{LABEL}.*": {"ttl": 4}}}):
        assert tracked.policy_for(Window) is not None
        assert tracked.policy_for(Label) is not None
        assert tracked.policy_for(View) is None


@pytest.mark.parametrize(
    "models", [{f"{LABEL}.Product": {"tll": 4}}, {f"{LABEL}.Product": 5}],
)
def test_a_model_whose_policy_is_not_understood_is_not_cached_and_the_site_stays_up(models: dict[str, Any]) -> None:
    from tests.declare.models import Product

    with override_settings(CACHE_CONSISTENCY={"MODELS": {**models, "no.Such": {}, "nonsense": {}}}):
        assert tracked.policy_for(Product) is None


def test_track_adds_models_apps_and_plain_tables() -> None:
    with override_settings(CACHE_CONSISTENCY={"TRACK": [f"{LABEL}.Window", "legacy_prices", "declare_tests_label", "no.Such"]}):
        assert {"window", "label"} <= _tables()
        legacy = tracked.table("legacy_prices")
        assert legacy is not None
        assert (legacy.model, legacy.pk_fields, legacy.lookups) == (None, (), ())
    assert tracked.table("legacy_prices") is None


def test_an_unknown_lookup_is_left_out_and_the_others_stay() -> None:
    from tests.declare.models import Window

    tracked.register(Window, lookups=["nmae", "name"])
    assert sorted(tracked.lookup_fields(Window)) == ["id", "name", "pk"]


def test_register_refuses_what_has_no_table_and_a_policy_told_twice() -> None:
    from tests.declare.models import Cacheable, Window

    for wrong in (Cacheable, "app.Model", object):
        with pytest.raises(DeclarationError, match="a model class with a table"):
            tracked.register(wrong)  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match="not both"):
        tracked.register(Window, {"ttl": 5}, ttl=6)
    with pytest.raises(DeclarationError, match=r"register\(declare_tests.Window\).*ttl"):
        tracked.register(Window, ttl="soon")
    assert tracked.policy_for(Window) is None


def test_a_model_made_later_is_found() -> None:
    from django.apps import apps

    assert tracked.table("declare_tests_late") is None
    try:
        class Late(django_models.Model):
            class Meta:
                app_label = LABEL
                cache_policy = {"ttl": 5}
        assert tracked.policy_for(Late) == CachePolicy(ttl=5)
        assert tracked.table("declare_tests_late") is not None
    finally:
        del apps.all_models[LABEL]["late"]
        apps.clear_cache()
        tracked.unregister(Late)


@pytest.mark.skipif(not hasattr(django_models, "DB_CASCADE"), reason="database cascades came with Django 6.1")
@isolate_apps("tests.declare")
def test_a_delete_is_known_to_reach_what_the_database_cascades_to_and_no_further() -> None:
    class Root(django_models.Model):
        class Meta:
            app_label = LABEL

    class Branch(django_models.Model):
        root = django_models.ForeignKey(Root, django_models.DB_CASCADE)

        class Meta:
            app_label = LABEL

    class Leaf(django_models.Model):
        branch = django_models.ForeignKey(Branch, django_models.DB_SET_NULL, null=True)

        class Meta:
            app_label = LABEL

    class Insect(django_models.Model):
        leaf = django_models.ForeignKey(Leaf, django_models.DB_CASCADE)

        class Meta:
            app_label = LABEL

    def cascades(table: str) -> list[str]:
        found = tracked.table(f"{LABEL}_{table}")
        assert found is not None, f"a DELETE of {table} would not be seen"
        return [name.removeprefix(f"{LABEL}_") for name in found.database_cascades]

    tracked.register(Leaf)
    assert (cascades("root"), cascades("branch"), cascades("leaf")) == (["branch", "leaf"], ["leaf"], [])
    tracked.register(Insect)
    assert cascades("leaf") == ["insect"]
    assert cascades("root") == ["branch", "leaf"]           # of a leaf only a column is set, so no insect dies


BEFORE_READY = """
    import django, sys
    from django.conf import settings
    settings.configure(INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"], CACHE_CONSISTENCY={given})
    from cache_consistency.declare import meta, tracked
    meta.install_option_names()
    heard = []
    tracked.on_first(lambda: heard.append("first"))
    said = [tracked.any_declared(), list(heard), dict(tracked.tables())]
    from django.db import models
    django.setup()
"""


def _in_a_fresh_process(code: str, **values: object) -> str:
    text = textwrap.dedent(BEFORE_READY.format(**values)) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_project_that_declares_nothing_has_an_empty_list_and_calls_nobody() -> None:
    code = "print(said, tracked.any_declared(), heard, len(tracked.tables()))"
    assert _in_a_fresh_process(code, given={}) == "[False, [], {}] False [] 0"


def test_names_in_the_settings_declare_before_any_app_is_loaded() -> None:
    code = "print(said[:2], sorted(tracked.tables()), heard)"
    assert _in_a_fresh_process(code, given={"TRACK": ["a", "auth.Permission"]}) == "[True, ['first']] ['a', 'auth_permission'] ['first']"


def test_the_first_registration_is_told_once() -> None:
    code = """
    from django.contrib.auth.models import Group, User
    tracked.register(User); tracked.register(Group)
    tracked.on_first(lambda: heard.append("late"))
    print(heard, sorted(tracked.tables()))
    """
    expected = "['first', 'late'] ['auth_group', 'auth_group_permissions', 'auth_user', 'auth_user_groups', 'auth_user_user_permissions']"
    assert _in_a_fresh_process(code, given={}) == expected


def test_the_first_model_with_a_policy_is_told_while_its_class_is_made() -> None:
    code = """
    class Made(models.Model):
        class Meta:
            app_label = "auth"
            cache_policy = {"ttl": 5}
    print(heard, tracked.any_declared(), tracked.policy_for(Made))
    """
    assert _in_a_fresh_process(code, given={}) == "['first'] True CachePolicy(ttl=5.0)"

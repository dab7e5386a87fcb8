"""The quick start does what it says, word for word; so does the page on querysets."""

import json
from pathlib import Path

import pytest

from tests.docs.pages import names, rows, text
from tests.docs.project import Project, files

# A store that is empty begins an epoch, and the tests do not wait until its quarantine is over.
AT_ONCE = {"CACHE_CONSISTENCY_QUARANTINE": "0"}

COUNT = """
from cache_consistency import events
from django.db import connection
from django.test.utils import CaptureQueriesContext


def queries(read):
    with CaptureQueriesContext(connection) as found:
        read()
    return len(found)
"""


@pytest.fixture
def project(tmp_path: Path, redis_url: str) -> Project:
    return Project(tmp_path, redis_url)


def test_the_quick_start_names_its_files() -> None:
    assert list(files()) == ["settings.py", "shop/models.py", "usage.py"]


def test_its_settings_and_models_pass_the_checks_and_need_no_migration(project: Project) -> None:
    assert "no issues" in project.manage("check", "--tag", "cache_consistency")
    assert "no issues" in project.manage("check", "--tag", "cache_consistency", "--deploy")
    project.manage("makemigrations", "shop", "--verbosity", "0")
    written = (project.directory / "shop" / "migrations" / "0001_initial.py").read_text()
    assert "cache" not in written
    assert "No changes" in project.manage("makemigrations", "shop", "--check")


def test_its_usage_runs_and_its_second_read_is_a_hit(project: Project) -> None:
    usage = files()["usage.py"]
    printed = project.run(usage + COUNT + "print(events.total('hit'), queries(lambda: Product.cached.get(sku='A-1')))", **AT_ONCE)
    hits, asked = map(int, printed.split()[-2:])
    assert hits >= 1
    assert asked == 0
    assert "shop.Product:1: " in printed


def test_reads_are_off_by_one_variable_and_writes_still_invalidate(project: Project) -> None:
    script = COUNT + (
        "from shop.models import Category, Product\n"
        "product = Product.objects.create(sku='A', name='a', category=Category.objects.create(name='c'))\n"
        "Product.cached.get(pk=product.pk)\n"
        "print(queries(lambda: Product.cached.get(pk=product.pk)), events.total('invalidation') > 0, events.total('hit'))\n"
    )
    assert project.run(script, CACHE_CONSISTENCY_READS="off", **AT_ONCE).split() == ["1", "True", "0"]
    assert project.run(script.replace("'A'", "'B'"), CACHE_CONSISTENCY_ENABLED="0", **AT_ONCE).split() == ["1", "False", "0"]
    assert project.run(script.replace("'A'", "'C'"), CACHE_CONSISTENCY_CACHE="", **AT_ONCE).split() == ["1", "False", "0"]


def test_a_fresh_store_stores_nothing_while_its_quarantine_lasts(project: Project) -> None:
    script = COUNT + (
        "from cache_consistency import explain\n"
        "from shop.models import Product\n"
        "list(Product.cached.all())\n"
        "asked, told = queries(lambda: list(Product.cached.all())), explain(Product.cached.all())\n"
        "print(asked, told.outcome, 0 < told.quarantine_left <= 10)\n"
    )
    assert project.run(script).split() == ["1", "miss", "True"]


FORMS = {
    # what the page says is answered by the cache
    "get(pk=1)": 0, "get(sku='A-1')": 0, "get(category=1, sku='A-1')": 0, "filter(pk=1).get()": 0,
    "get_many([1, 2])": 0, "in_bulk([1, 2, 99])": 0, "in_bulk()": 0, "in_bulk(['A-1'], field_name='sku')": 0,
    "filter(category=1)": 0, "filter(pk__in=[1, 2])": 0, "filter(name__gt='a')": 0, "exclude(pk=1)": 0, "all()": 0,
    "filter(Q(pk=1) | Q(name='b'))": 0, "distinct()": 0, "extra(where=['id > 0'])": 0, "filter(pk=1).union(P.filter(pk=2))": 0,
    "values('sku')": 0, "values_list('sku', flat=True)": 0, "only('sku')": 0, "defer('name')": 0, "annotate(n=Upper('name'))": 0,
    "annotate(r=Window(RowNumber(), order_by='name'))": 0, "filter(pk__in=P.filter(name='b').values('pk'))": 0,
    "count()": 0, "filter(category=1).exists()": 0, "aggregate(n=Count('pk'))": 0, "all().contains(Product(pk=1))": 0,
    "order_by('pk').first()": 0, "order_by('pk').last()": 0, "latest('pk')": 0, "earliest('pk')": 0, "order_by('pk')[0]": 0,
    # what it says asks the database
    "all().cached(False)": 1, "iterator()": 1, "raw('SELECT * FROM shop_product')": 1, "filter(pk=1).explain()": 1,
    "get_or_create(sku='A-1')": 1, "order_by('?')": 1, "filter(name=Cast(Now(), CharField()))": 1,
    "select_related('category')": 1, "filter(category__name='c')": 1, "order_by('category__name')": 1,  # a table that is not tracked
}  # fmt: skip
READ = """
import json
from django.db.models import CharField, Count, Q, Window
from django.db.models.functions import Cast, Now, RowNumber, Upper
from shop.models import Category, Product

P = Product.cached
category = Category.objects.create(name="c")
for number in range(3):
    Product.objects.create(sku=f"A-{number}", name="abc"[number], category=category)
found = {}
for form in json.loads(FORMS):
    def read():
        answer = eval(form)
        return list(answer) if hasattr(answer, "__iter__") and not isinstance(answer, (dict, str)) else answer
    read()
    found[form] = queries(read)
print(json.dumps(found))
"""


def test_each_form_of_read_is_answered_as_the_page_on_querysets_says(project: Project) -> None:
    forms = {f"P.{form}": asked for form, asked in FORMS.items()} | {
        "P.get(pk=1).category": 1, "category.product_set.all()": 1, "P.get(pk=1).refresh_from_db()": 1,
    }  # fmt: skip
    script = COUNT + f"FORMS = {json.dumps(list(forms))!r}" + READ
    found = json.loads(project.run(script, **AT_ONCE).splitlines()[-1])
    assert found == forms


def test_tracking_a_table_lets_joins_with_it_be_cached(project: Project) -> None:
    with (project.directory / "settings.py").open("a") as settings:
        settings.write("CACHE_CONSISTENCY['TRACK'] = ['shop.Category']\n")
    forms = ["P.select_related('category')", "P.filter(category__name='c')", "P.order_by('category__name')"]
    script = COUNT + f"FORMS = {json.dumps(forms)!r}" + READ
    assert json.loads(project.run(script, **AT_ONCE).splitlines()[-1]) == dict.fromkeys(forms, 0)


def test_the_page_on_querysets_has_both_tables() -> None:
    page = text("reference/querysets.md")
    assert any("get_many([…])" in names(row[0]) for row in rows(page, "Forms"))
    assert any("iterator()" in names(row[0]) for row in rows(page, "What asks the database"))

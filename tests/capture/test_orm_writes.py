"""Each form of writing through the ORM, and exactly the tags that it must mark; both databases, commits are real."""

import json
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connections, models, transaction
from django.db.models import Case, F, Value, When

from cache_consistency.protocol.tags import value_text
from tests.capture import models as shapes
from tests.capture.models import Category, Document, Item, ItemProxy, Label, Log, Measure, Part, Place, Remark, Seat, Shop

Told = Any


def sku(value: str) -> str:
    return f"item col:sku={value_text(value)}"


def code(value: str) -> str:
    return f"place col:code={value_text(value)}"


def of_item(pk: int, *skus: str, categories: tuple[int, ...] = (1,)) -> set[str]:
    return {"item any", f"item row:{pk}", *map(sku, skus), *(f"item col:category_id={c}" for c in categories)}


@pytest.fixture
def shop(database: str, told: Told) -> None:
    """Two categories, items 1 and 2 of the first."""
    objects = Category.objects.using(database)
    objects.bulk_create([Category(pk=1, title="tea"), Category(pk=2, title="pots")])
    Item.objects.using(database).bulk_create([
        Item(pk=1, sku="A", category_id=1, price=1), Item(pk=2, sku="B", category_id=1, price=2),
    ])
    Label.objects.using(database).bulk_create([Label(pk=1, title="new"), Label(pk=2, title="old"), Label(pk=3, title="red")])
    with connections[database].cursor() as cursor:
        for sql in connections[database].ops.sequence_reset_sql(no_style(), [Category, Item, Label]):
            cursor.execute(sql)
    told()


# -- save and create ------------------------------------------------------------------------------------------------------------------


def test_create_names_the_row_that_the_database_numbered(shop: None, told: Told, database: str) -> None:
    item = Item.objects.using(database).create(sku="C", category_id=2)
    assert item.pk not in {None, 1, 2}
    assert told() == [of_item(item.pk, "C", categories=(2,)) | {"item new"}]


def test_create_in_a_table_without_lookups(told: Told, database: str) -> None:
    category = Category.objects.using(database).create(title="x")
    assert told() == [{"category any", "category new", f"category row:{category.pk}"}]


def test_save_by_pk_of_a_table_without_lookups_names_the_row(shop: None, told: Told, database: str) -> None:
    category = Category.objects.using(database).get(pk=1)
    category.title = "coffee"
    category.save()
    assert told() == [{"category any", "category row:1"}]


def test_save_marks_the_old_and_the_new_value_of_a_lookup(shop: None, told: Told, database: str) -> None:
    item = Item.objects.using(database).get(pk=1)
    item.sku = "Z"
    item.save()
    assert told() == [of_item(1, "A", "Z")]


def test_old_values_are_the_databases_not_the_instances(shop: None, told: Told, database: str) -> None:
    item = Item.objects.using(database).get(pk=1)
    Item.objects.using(database).filter(pk=1).update(sku="changed", category_id=2)
    told()
    item.sku = "Z"
    item.save()
    assert told() == [of_item(1, "changed", "Z", categories=(1, 2))]


def test_save_of_other_fields_marks_the_lookups_as_they_stand(shop: None, told: Told, database: str) -> None:
    item = Item.objects.using(database).get(pk=1)
    item.price = Decimal("3.50")
    item.save(update_fields=["price"])
    assert told() == [of_item(1, "A")]


def test_save_with_an_expression(shop: None, told: Told, database: str) -> None:
    item = Item.objects.using(database).get(pk=1)
    item.stock = F("stock") + 5
    item.save()
    assert told() == [of_item(1, "A")]
    item.refresh_from_db()
    assert item.stock == 5


def test_save_with_an_expression_on_a_lookup(shop: None, told: Told, database: str) -> None:
    item = Item.objects.using(database).get(pk=1)
    item.category_id = F("category_id") + 1
    item.save()
    assert told() == [of_item(1, "A", categories=(1, 2))]


def test_save_of_a_deferred_instance(shop: None, told: Told, database: str) -> None:
    item = Item.objects.using(database).only("price").get(pk=2)
    item.price = Decimal(9)
    item.save()
    assert told() == [of_item(2, "B")]


def test_save_of_an_instance_that_was_never_read_updates_the_row(shop: None, told: Told, database: str) -> None:
    Item(pk=2, sku="N", category_id=2).save(using=database)
    assert told() == [of_item(2, "B", "N", categories=(1, 2))]


def test_save_of_a_pk_that_is_not_there_inserts_and_marks_once(shop: None, told: Told, database: str) -> None:
    Item(pk=70, sku="N", category_id=2).save(using=database)
    assert told() == [of_item(70, "N", categories=(2,)) | {"item new"}]


def test_get_or_create_and_update_or_create(shop: None, told: Told, database: str) -> None:
    items = Item.objects.using(database)
    items.get_or_create(sku="A", defaults={"category_id": 1})
    assert told() == []
    made, _ = items.get_or_create(sku="G", defaults={"category_id": 1})
    assert told() == [of_item(made.pk, "G") | {"item new"}]
    items.update_or_create(sku="G", defaults={"category_id": 2})
    assert told() == [of_item(made.pk, "G", categories=(1, 2))]


# -- many rows ------------------------------------------------------------------------------------------------------------------------


def test_update_names_the_rows_it_changed(shop: None, told: Told, database: str) -> None:
    assert Item.objects.using(database).filter(sku__in=["A", "B"]).update(price=7) == 2
    assert told() == [of_item(1, "A", "B") | of_item(2)]


def test_update_of_a_lookup_marks_what_stood_there(shop: None, told: Told, database: str) -> None:
    assert Item.objects.using(database).update(category_id=2) == 2
    assert told() == [of_item(1, "A", "B", categories=(1, 2)) | of_item(2)]


def test_update_through_a_join(shop: None, told: Told, database: str) -> None:
    assert Item.objects.using(database).filter(category__title="tea", sku="B").update(category_id=2) == 1
    assert told() == [of_item(2, "B", categories=(1, 2))]


def test_update_of_nothing_marks_nothing(shop: None, told: Told, database: str) -> None:
    items = Item.objects.using(database)
    assert items.filter(sku="none").update(price=7) == 0
    assert items.filter(pk=99).update(sku="x") == 0
    assert items.none().update(price=7) == 0
    assert items.filter(pk__in=[]).update(price=7) == 0
    assert Category.objects.using(database).filter(pk=99).update(title="x") == 0
    assert told() == []


def test_update_of_pks_is_not_enumerated(shop: None, told: Told, database: str) -> None:
    Label.objects.using(database).filter(pk=3).update(id=33)
    Part.objects.using(database).create(pk=1, item_id=1, name="x")
    told()
    Part.objects.using(database).filter(pk=1).update(id=5)
    assert told() == [{"part bulk", "part any"}]


def test_update_with_a_subquery_in_the_where_and_in_the_value(shop: None, told: Told, database: str) -> None:
    newest = Category.objects.using(database).order_by("-pk").values("pk")[:1]
    tea = Category.objects.using(database).filter(title="tea").values("pk")
    assert Item.objects.using(database).filter(category__in=tea, sku="A").update(category=newest) == 1
    assert told() == [of_item(1, "A", categories=(1, 2))]


def test_bulk_update(shop: None, told: Told, database: str) -> None:
    items = list(Item.objects.using(database).order_by("pk"))
    for item in items:
        item.sku += "x"
    Item.objects.using(database).bulk_update(items, ["sku"])
    assert told() == [of_item(1, "A", "B", "Ax", "Bx") | of_item(2)]


def test_conditional_update(shop: None, told: Told, database: str) -> None:
    changed = Case(When(sku="A", then=Value(2)), default=F("category_id"), output_field=models.BigIntegerField())
    Item.objects.using(database).update(category_id=changed)
    assert told() == [of_item(1, "A", "B", categories=(1, 2)) | of_item(2)]


def test_bulk_create(shop: None, told: Told, database: str) -> None:
    made = Item.objects.using(database).bulk_create([Item(sku="C", category_id=1), Item(sku="D", category_id=2)])
    assert all(item.pk for item in made)
    assert told() == [of_item(made[0].pk, "C", "D", categories=(1, 2)) | of_item(made[1].pk, categories=()) | {"item new"}]


def test_bulk_create_that_ignores_conflicts_names_only_what_was_inserted(shop: None, told: Told, database: str) -> None:
    objects = [Item(pk=1, sku="A", category_id=2), Item(pk=8, sku="H", category_id=2)]
    Item.objects.using(database).bulk_create(objects, ignore_conflicts=True)
    assert told() == [of_item(8, "H", categories=(2,)) | {"item new"}]
    Item.objects.using(database).bulk_create([Item(pk=1, sku="A", category_id=2)], ignore_conflicts=True)
    assert told() == []


def test_an_upsert_names_its_rows_and_gives_up_on_their_old_values(shop: None, told: Told, database: str) -> None:
    objects = [Item(pk=1, sku="A", category_id=2), Item(pk=8, sku="H", category_id=2)]
    Item.objects.using(database).bulk_create(objects, update_conflicts=True, unique_fields=["pk"], update_fields=["category"])
    assert told() == [of_item(1, "A", "H", categories=(2,)) | of_item(8, categories=(2,)) | {"item new", "item bulk"}]


def test_more_rows_than_the_limit_are_not_enumerated(shop: None, told: Told, database: str) -> None:
    Item.objects.using(database).bulk_create([Item(sku=str(n), category_id=1) for n in range(600)])
    told()
    assert Item.objects.using(database).update(price=1) == 602
    assert told() == [{"item bulk", "item any"}]
    assert Item.objects.using(database).all()._raw_delete(database) == 602
    assert told() == [{"item bulk", "item any"}]


def test_a_transaction_of_very_many_rows_is_marked_by_its_table(told: Told, database: str) -> None:
    with transaction.atomic(using=database):
        for start in range(0, 2400, 400):
            Category.objects.using(database).bulk_create([Category(title="x") for _ in range(start, start + 400)])
    assert told() == [{"category bulk", "category any"}]


# -- delete ---------------------------------------------------------------------------------------------------------------------------


def test_delete_of_an_instance_takes_its_children_along(shop: None, told: Told, database: str) -> None:
    Part.objects.using(database).create(pk=5, item_id=1, name="lid")
    Remark.objects.using(database).create(pk=6, item_id=1)
    Item.objects.using(database).get(pk=1).labels.add(1)
    told()
    Item.objects.using(database).get(pk=1).delete()
    [tags] = told()
    assert tags - {tag for tag in tags if tag.startswith("item_labels")} == of_item(1, "A") | {
        "part any", "part row:5", "part col:item_id=1",
        "remark any", "remark row:6", "remark col:item_id=1", "remark col:item_id=null", "remark col:fallback_id=null",
    }
    assert "item_labels any" in tags


def test_set_default_is_a_write_to_the_child(shop: None, told: Told, database: str) -> None:
    Remark.objects.using(database).create(pk=6, fallback_id=2)
    told()
    Label.objects.using(database).get(pk=2).delete()
    tags = set().union(*told())
    assert {"remark row:6", "remark col:fallback_id=2", "remark col:fallback_id=null", "remark any"} <= tags


def test_delete_of_a_queryset_names_the_rows_that_went(shop: None, told: Told, database: str) -> None:
    Part.objects.using(database).bulk_create([Part(pk=5, item_id=1, name="a"), Part(pk=6, item_id=2, name="b")])
    told()
    assert Part.objects.using(database).filter(item__sku="A").delete()[0] == 1
    assert told() == [{"part any", "part row:5", "part col:item_id=1"}]
    assert Part.objects.using(database).filter(name="nobody").delete()[0] == 0
    assert told() == []
    assert Part.objects.using(database).all()._raw_delete(database) == 1
    assert told() == [{"part any", "part row:6", "part col:item_id=2"}]


# -- relations and inheritance --------------------------------------------------------------------------------------------------------


def test_many_to_many_writes_the_through_table(shop: None, told: Told, database: str) -> None:
    item = Item.objects.using(database).get(pk=1)
    item.labels.add(1, 2)
    [tags] = told()
    assert {"item_labels any", "item_labels new"} <= tags
    assert "item_labels bulk" not in tags
    assert len([tag for tag in tags if tag.startswith("item_labels row:")]) == 2
    item.labels.add(1)
    assert told() == []
    item.labels.remove(1)
    assert len(told()[0]) == 2
    item.labels.set([3])
    tags = set().union(*told())
    assert len([tag for tag in tags if tag.startswith("item_labels row:")]) == 2
    item.labels.clear()
    assert {"item_labels any"} < set().union(*told())


def test_inherited_tables_are_written_both(told: Told, database: str) -> None:
    shop = Shop.objects.using(database).create(code="x", size=1)
    assert told() == [{
        "shop any", "shop new", f"shop row:{shop.pk}", "place any", "place new", f"place row:{shop.pk}", code("x"),
    }]
    shop.code = "y"
    shop.save()
    assert told() == [{"shop any", f"shop row:{shop.pk}", "place any", f"place row:{shop.pk}", code("x"), code("y")}]
    Shop.objects.using(database).update(code="z", size=3)
    tags = set().union(*told())
    assert tags == {"shop any", f"shop row:{shop.pk}", "place any", f"place row:{shop.pk}", code("y"), code("z")}
    Place.objects.using(database).filter(code="z").update(code="w")
    assert told() == [{"place any", f"place row:{shop.pk}", code("z"), code("w")}]
    pk = shop.pk
    Place.objects.using(database).get(pk=pk).delete()
    assert set().union(*told()) == {"shop any", f"shop row:{pk}", "place any", f"place row:{pk}", code("w")}


def test_a_proxy_is_its_table(shop: None, told: Told, database: str) -> None:
    proxy = ItemProxy.objects.using(database).get(pk=1)
    proxy.sku = "P"
    proxy.save()
    assert told() == [of_item(1, "A", "P")]
    ItemProxy.objects.using(database).filter(pk=1).update(sku="Q")
    assert told() == [of_item(1, "P", "Q")]
    made = ItemProxy.objects.using(database).create(sku="R", category_id=1)
    assert told() == [of_item(made.pk, "R") | {"item new"}]


def test_a_composite_primary_key_is_one_name(told: Told, database: str) -> None:
    seats = Seat.objects.using(database)
    seat = seats.create(row="a", number=1)
    row = "seat row:" + value_text(("a", 1))
    assert told() == [{"seat any", "seat new", row}]
    seat.guest = "Ann"
    seat.save()
    assert told() == [{"seat any", row}]
    seats.filter(pk=("a", 1)).update(guest="Bob")
    assert told() == [{"seat any", row}]
    seats.filter(guest="Bob").update(guest="")
    assert told() == [{"seat any", row}]
    seats.filter(pk__in=[("a", 1)]).delete()
    assert told() == [{"seat any", row}]


def test_values_have_one_text_on_both_databases(told: Told, database: str) -> None:
    document = Document.objects.using(database).create(day="2024-02-29", amount=Decimal("1.10"))
    row = f"document row:{document.pk.hex}"
    first = {"document any", row, "document col:day=2024-02-29", f"document col:amount={value_text(Decimal('1.1'))}"}
    assert told() == [first | {"document new"}]
    Document.objects.using(database).filter(pk=document.pk).update(amount=None)
    assert told() == [first | {"document col:amount=null"}]


def test_rows_without_an_exact_pk_are_not_named(told: Told, database: str) -> None:
    Measure.objects.using(database).create(at=1.5)
    Measure.objects.using(database).filter(at=1.5).update(value=2)
    Measure.objects.using(database).filter(at=1.5).delete()
    assert told() == [{"measure bulk", "measure any"}] * 3


@pytest.mark.skipif(not hasattr(models, "DB_CASCADE"), reason="Django 6.1 brought cascades of the database")
def test_cascades_of_the_database_are_writes_to_the_children(told: Told, database: str) -> None:
    owners, belongings = shapes.Owner._default_manager, shapes.Belonging._default_manager
    owner = owners.using(database).create(pk=1, name="x")
    belongings.using(database).create(pk=1, owner=owner)
    told()
    owner.delete()
    assert told() == [{"owner any", "owner row:1", "belonging bulk", "belonging any"}]
    assert not belongings.using(database).exists()


# -- the rest -------------------------------------------------------------------------------------------------------------------------


def test_fixtures_are_loaded_under_tags(shop: None, told: Told, database: str, tmp_path: Any) -> None:
    fixture = tmp_path / "one.json"
    fields = {"sku": "L", "category": 2, "price": "1.00", "stock": 0, "labels": []}
    fixture.write_text(json.dumps([{"model": "capture_tests.item", "pk": 1, "fields": fields}]))
    call_command("loaddata", str(fixture), database=database, stdout=StringIO())
    assert told() == [of_item(1, "A", "L", categories=(1, 2))]


def test_an_untracked_table_is_written_as_if_nobody_listened(told: Told, database: str) -> None:
    with transaction.atomic(using=database):
        log = Log.objects.using(database).create(text="x")
        Log.objects.using(database).update(text="y")
    log.delete()
    assert told() == []


def test_writes_of_one_transaction_are_one_commit(shop: None, told: Told, database: str) -> None:
    with transaction.atomic(using=database):
        Category.objects.using(database).filter(pk=1).update(title="a")
        Category.objects.using(database).filter(pk=2).update(title="b")
    assert told() == [{"category any", "category row:1", "category row:2"}]


def test_a_historical_model_writes_the_same_table(shop: None, told: Told, database: str) -> None:
    from django.db.migrations.state import ModelState, ProjectState

    state = ProjectState()
    state.add_model(ModelState.from_model(Category))
    historical = state.apps.get_model("capture_tests", "Category")
    assert historical is not Category
    historical._base_manager.using(database).filter(pk=1).update(title="h")
    assert told() == [{"category any", "category row:1"}]


def test_the_statement_of_an_untracked_write_is_unchanged(hooked: None, database: str) -> None:
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connections[database]) as queries:
        Log.objects.using(database).filter(text="q").update(text="z")
    assert [query["sql"].partition(" ")[0] for query in queries] == ["UPDATE"]
    assert "RETURNING" not in queries[0]["sql"]
    assert "BEGIN" not in queries[0]["sql"]

import pytest

from cache_consistency.declare import dependencies
from cache_consistency.exceptions import DeclarationError


def _reached(path: str) -> list[str]:
    from tests.declare.models import Product

    return [model.__name__ for model in dependencies.resolve(Product, path).reached]


@pytest.mark.parametrize(
    ("path", "reached"),
    [
        ("category", ["Category"]),
        ("category.parent.children", ["Category", "Category", "Category"]),
        ("supplier.country", ["Supplier", "Country"]),
        ("reviews", ["Review"]),
        ("opinions", ["Review"]),
        ("labels", ["Product_labels", "Label"]),
        ("windows", ["Placement", "Window"]),
        ("placement", ["Placement"]),
        ("placement_set.window", ["Placement", "Window"]),
        ("windows.shown", ["Placement", "Window", "Placement", "Product"]),
        ("declare_tests.PriceList", ["PriceList"]),
        ("declare_tests.pricelist", ["PriceList"]),
    ],
)
def test_a_path_reaches_models_by_relations_backwards_too_or_by_label(path: str, reached: list[str]) -> None:
    assert _reached(path) == reached


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("categroy", ["'categroy'", "declare_tests.Product has no such relation", "Did you mean 'category'?"]),
        ("supplier.contry", ["fails at 'contry'", "declare_tests.Supplier has no such relation", "'country'"]),
        ("sku", ["fails at 'sku'", "a field and not a relation"]),
        ("supplier.country.name", ["fails at 'name'", "declare_tests.Country", "not a relation"]),
        ("declare_tests.PriceLst", ["fails at 'PriceLst'", "no such model", "'PriceList'"]),
        ("", ["fails at ''"]),
        ("reviews.subject", ["fails at 'subject'", "generic foreign key, whose target is not one model"]),
    ],
)
def test_a_path_that_fails_names_model_path_and_part(path: str, parts: list[str]) -> None:
    with pytest.raises(DeclarationError) as caught:
        _reached(path)
    assert str(caught.value).startswith(f"declare_tests.Product: cache_dependencies path {path!r}")
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def test_a_relation_wins_over_an_app_of_the_same_name() -> None:
    from django.apps import apps

    from tests.declare.models import Product

    apps.app_configs["supplier"] = apps.app_configs["declare_tests"]
    try:
        assert dependencies.resolve(Product, "supplier.country").target.__name__ == "Country"
    finally:
        del apps.app_configs["supplier"]


@pytest.mark.parametrize("value", ["category", [1], 7])
def test_dependencies_that_are_no_list_are_refused(value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.declare.models import Product

    monkeypatch.setattr(Product._meta, "cache_dependencies", value)
    with pytest.raises(DeclarationError, match=r"declare_tests\.Product: cache_dependencies must be a list of paths"):
        dependencies.paths_of(Product)
    assert list(dependencies.reached_from(Product)) == []

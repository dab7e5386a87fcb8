from typing import Any

import pytest
from django.apps import apps
from django.core.checks import CheckMessage
from django.test import override_settings

from cache_consistency.codecs import rows
from cache_consistency.declare import tracked
from cache_consistency.declare.checks.declared import check_declarations, check_dependencies
from tests.declare.checking import found

LABEL = "declare_tests"


def _policy(policy: Any, model: str = "Product") -> dict[str, CheckMessage]:
    """Findings about one policy; W030 and W031 of the standing models are theirs, and so is whatever is told of other tests' models."""
    with override_settings(CACHE_CONSISTENCY={"MODELS": {f"{LABEL}.{model}": policy}}):
        messages = check_declarations(None)
    ours = [message for message in messages if getattr(message.obj, "__module__", __name__).startswith("tests.declare.")]
    result = {str(message.id).removeprefix("cache_consistency."): message for message in ours}
    return {number: message for number, message in result.items() if number not in {"W030", "W031"}}


@pytest.mark.parametrize(
    ("policy", "number", "part"),
    [
        (5, "E020", "must be a dict"),
        ({"tll": 5}, "E021", "Did you mean 'ttl'?"),
        ({"ttl": "soon"}, "E022", "'soon'"),
        ({"lookups": "category"}, "E023", "list of field names"),
        ({"mode": "fersh"}, "E024", "Did you mean 'fresh'?"),
        ({"lookups": ["categroy"]}, "E025", "Did you mean 'category'?"),
        ({"lookups": ["category__slug"]}, "E025", "not a field"),
        ({"lookups": ["pk"]}, "E025", "without being named"),
        ({"lookups": ["labels"]}, "E026", "many-to-many"),
        ({"lookups": ["reviews"]}, "E026", "reverse relation"),
        ({"lookups": ["opinions"]}, "E026", "a GenericRelation"),
        ({"lookups": ["weight"]}, "W027", "FloatField"),
        ({"mode": "strict"}, "E028", "promises less"),
        ({"mode": "bounded"}, "W029", "promises more"),
        ({"mode": "ttl"}, "W029", "promises more"),
    ],
)
def test_a_wrong_policy_is_told_with_where_and_what(policy: Any, number: str, part: str) -> None:
    result = _policy(policy)
    assert list(result) == [number]
    assert result[number].msg.startswith("CACHE_CONSISTENCY['MODELS']['declare_tests.Product']")
    assert part in result[number].msg
    assert result[number].obj is apps.get_model(LABEL, "Product")


@pytest.mark.parametrize("policy", [{}, {"lookups": ["category_id", "name"]}, {"mode": "fresh", "ttl": "1h30m"}, None])
def test_a_right_policy_is_not_mentioned(policy: Any) -> None:
    assert _policy(policy) == {}


def test_a_wrong_policy_in_meta_is_told_with_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.declare.models import Product

    monkeypatch.setattr(Product._meta, "cache_policy", {"ttl": "soon"})
    assert found(check_declarations)["E022"].msg.startswith("declare_tests.Product: cache_policy")


@pytest.mark.parametrize(("mode", "number"), [("strict", "E028"), ("bounded", "W029"), ("ttl", "W029")])
def test_a_mode_of_the_settings_that_is_not_there_yet_is_told(mode: str, number: str) -> None:
    assert "not available in this release" in found(check_declarations, {"MODE": mode})[number].msg


def test_a_meta_of_its_own_that_dropped_the_parents_policy_is_told_and_none_silences_it() -> None:
    from tests.declare.models import Drops

    messages = [message for message in check_declarations(None) if message.id == "cache_consistency.W030"]
    assert [message.obj for message in messages] == [Drops]
    assert "class Meta(Cacheable.Meta)" in str(messages[0].hint)
    tracked.register(Drops)
    assert "W030" not in found(check_declarations)


def test_two_policies_that_differ_are_told_and_two_that_agree_are_not() -> None:
    different = found(check_declarations, {"MODELS": {f"{LABEL}.Product": {"ttl": 5}}})["W031"]
    assert "CACHE_CONSISTENCY['MODELS']['declare_tests.Product'] (CachePolicy(ttl=5.0)) is in force" in different.msg
    assert "W031" not in found(check_declarations, {"MODELS": {f"{LABEL}.Product": {"ttl": 600, "lookups": ["category"]}}})
    assert "W031" not in found(check_declarations, {"MODELS": {f"{LABEL}.Product": None}})


def test_a_field_that_cannot_be_stored_is_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.declare.models import Product

    monkeypatch.setattr(rows, "problems", lambda model: [("weight", "no codec knows it")] if model is Product else [])
    assert found(check_declarations)["E032"].msg == "declare_tests.Product.weight cannot be cached: no codec knows it."


def test_an_unmanaged_model_may_be_a_view_and_is_told() -> None:
    assert "some_view" in _policy({}, model="View")["W033"].msg


def test_a_policy_in_the_meta_of_a_proxy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.declare.models import FancyProduct

    monkeypatch.setattr(FancyProduct._meta, "cache_policy", {"ttl": "10m", "lookups": ["category"]}, raising=False)
    assert "acts for declare_tests.Product" in found(check_declarations)["W034"].msg


@pytest.mark.parametrize(
    ("label", "part"),
    [
        ("declare_tests.Prodct", "Did you mean 'Product'?"), ("declare_test.Product", "Did you mean 'declare_tests'?"),
        ("Product", "is not a label"), ("shop.catalog.Product", "is not a label"), ("nowhere.*", "no app 'nowhere'"),
    ],
)
def test_a_label_that_names_nothing_is_told(label: str, part: str) -> None:
    assert part in found(check_declarations, {"MODELS": {label: {}}})["E035"].msg


def test_names_to_track_are_checked() -> None:
    assert "Did you mean 'Label'?" in found(check_declarations, {"TRACK": [f"{LABEL}.Lable"]})["E036"].msg
    assert "'legacy'" in found(check_declarations, {"TRACK": ["legacy"]})["W037"].msg
    right = found(check_declarations, {"TRACK": [f"{LABEL}.Label", f"{LABEL}.*", "declare_tests_window", "declare_tests_product_labels"]})
    assert {"E036", "W037"}.isdisjoint(right)


def test_a_model_that_was_swapped_has_no_table_to_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.declare.models import Label

    monkeypatch.setattr(type(Label._meta), "swapped", property(lambda meta: "shop.Label" if meta is Label._meta else None))
    assert "'shop.Label'" in str(_policy({}, model="Label")["E038"].hint)
    assert tracked.policy_for(Label) is None


def test_paths_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.declare.models import Product

    assert found(check_dependencies) == {}
    monkeypatch.setattr(Product._meta, "cache_dependencies", ["category", "supplier.contry"])
    message = found(check_dependencies)["E041"]
    assert message.msg.startswith("declare_tests.Product: cache_dependencies path 'supplier.contry' fails at 'contry'")
    monkeypatch.setattr(Product._meta, "cache_dependencies", "category")
    assert "list of paths" in found(check_dependencies)["E040"].msg


def test_a_check_of_one_app_speaks_of_that_app_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.declare.models import Product

    monkeypatch.setattr(Product._meta, "cache_policy", 5)
    monkeypatch.setattr(Product._meta, "cache_dependencies", 5)
    other, own = [apps.get_app_config("contenttypes")], [apps.get_app_config(LABEL)]
    assert check_declarations(other) == check_dependencies(other) == []
    assert {"cache_consistency.E020", "cache_consistency.E040"} <= {m.id for m in [*check_declarations(own), *check_dependencies(own)]}

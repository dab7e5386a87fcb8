import datetime
from typing import Any

import pytest
from django.test import override_settings

from cache_consistency.declare.policy import CachePolicy, PolicyError, parse
from cache_consistency.exceptions import DeclarationError


def test_a_dict_and_a_policy_say_the_same() -> None:
    as_dict = parse({"ttl": "10m", "lookups": ["category"], "mode": "fresh"}, where="x")
    assert as_dict == CachePolicy(ttl=datetime.timedelta(minutes=10), lookups=("category",), mode="fresh")
    assert (as_dict.ttl, as_dict.lookups, as_dict.mode) == (600.0, ("category",), "fresh")
    assert parse(as_dict, where="x") is as_dict


def test_what_a_policy_does_not_name_follows_the_settings_at_the_moment_of_use() -> None:
    policy = CachePolicy()
    assert (policy.ttl, policy.mode, policy.lookups) == (3600.0, "fresh", ())
    with override_settings(CACHE_CONSISTENCY={"TTL": "5s", "MODE": "ttl"}):
        assert (policy.ttl, policy.mode) == (5.0, "ttl")
        assert CachePolicy(ttl=7, mode="fresh").ttl == 7.0


def test_a_policy_cannot_be_changed_and_shows_what_it_names() -> None:
    policy = CachePolicy(ttl=5, lookups=["a", "a", "b"])
    with pytest.raises(AttributeError):
        policy.lookups = ()  # type: ignore[misc]
    assert repr(policy) == "CachePolicy(ttl=5.0, lookups=('a', 'b'))"
    assert {policy: 1}[CachePolicy(ttl="5s", lookups=("a", "b"))] == 1


@pytest.mark.parametrize(
    ("value", "key", "part"),
    [
        (True, "", "must be a dict or a CachePolicy, not True"),
        (["ttl"], "", "must be a dict or a CachePolicy"),
        ({"tll": 5}, "?", "no key 'tll'. Did you mean 'ttl'?"),
        ({"auto": True}, "?", "no key 'auto'. Known: lookups, mode, ttl."),
        ({1: True}, "?", "no key 1"),
        ({"ttl": "ten minutes"}, "ttl", "'10m'"),
        ({"ttl": -1}, "ttl", "not negative"),
        ({"ttl": 0}, "ttl", "must be more than 0"),
        ({"ttl": True}, "ttl", "not a duration"),
        ({"lookups": "category"}, "lookups", "write ['category']"),
        ({"lookups": [1]}, "lookups", "list of field names"),
        ({"lookups": 5}, "lookups", "list of field names"),
        ({"mode": "fersh"}, "mode", "Did you mean 'fresh'?"),
        ({"mode": ["fresh"]}, "mode", "unknown"),
    ],
)
def test_a_policy_that_cannot_be_understood_says_where_what_and_what_instead(value: Any, key: str, part: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(value, where="shop.Product: cache_policy")
    assert caught.value.key == key
    assert str(caught.value).startswith("shop.Product: cache_policy")
    assert part in str(caught.value)
    assert isinstance(caught.value, DeclarationError)

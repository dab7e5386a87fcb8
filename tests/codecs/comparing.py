"""Is what came back from a codec what Django would have given? Equal is not enough: types, zones and folds count too."""

import datetime
import math
from typing import Any

from django.db import connections
from django.db.models import Model, QuerySet

from cache_consistency.codecs.rows import codec_for


def same(left: Any, right: Any) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return (left == right and math.copysign(1, left) == math.copysign(1, right)) or (math.isnan(left) and math.isnan(right))
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return same(list(left.items()), list(right.items()))
    if type(left).__name__ == "Multirange":
        return same(list(left), list(right))
    if isinstance(left, (datetime.datetime, datetime.time)):
        return left.replace(tzinfo=None) == right.replace(tzinfo=None) and left.fold == right.fold and same_zone(left.tzinfo, right.tzinfo)
    if type(left).__name__ == "Decimal":
        return bool(left.as_tuple() == right.as_tuple())
    if type(left).__name__ == "Range":
        return same((left.lower, left.upper, left.bounds, left.isempty), (right.lower, right.upper, right.bounds, right.isempty))
    return bool(left == right)


def same_zone(left: datetime.tzinfo | None, right: datetime.tzinfo | None) -> bool:
    return left is right or (type(left) is datetime.timezone and repr(left) == repr(right))


def rows_of(model: type[Model], alias: str) -> Any:
    return model._default_manager.using(alias)


def driver_rows(queryset: "QuerySet[Any]") -> list[tuple[Any, ...]]:
    compiler = queryset.query.get_compiler(queryset.db)
    return [row for chunk in compiler.execute_sql() or () for row in chunk]


def assert_same_instance(built: Model, expected: Model) -> None:
    assert type(built) is type(expected)
    ours, theirs = dict(vars(built)), dict(vars(expected))
    our_state, their_state = ours.pop("_state"), theirs.pop("_state")
    assert type(our_state) is type(their_state)
    # Peers are weak references to the other instances of a result; an empty cache of related objects is made when somebody asks for it.
    assert [{"fields_cache": {}, **vars(state), "peers": None} for state in (our_state, their_state)] == [
        {"fields_cache": {}, **vars(their_state), "peers": None}
    ] * 2
    assert list(ours) == list(theirs)
    different = [name for name in theirs if not same(ours[name], theirs[name])]
    assert [(name, ours[name], theirs[name]) for name in different] == []
    assert built.get_deferred_fields() == set()
    assert built.pk == expected.pk


def assert_round_trip(queryset: "QuerySet[Any]") -> Any:
    """Each row of ``queryset`` becomes the same instance through the codec as through Django; returns the codec."""
    codec = codec_for(queryset.model, connections[queryset.db])
    expected = list(queryset)
    assert expected
    rows = codec.decode(codec.encode(driver_rows(queryset)))
    built = codec.build_many(rows, db=queryset.db)
    assert len(built) == len(expected)
    for instance, row, other in zip(built, rows, expected, strict=True):
        assert_same_instance(instance, other)
        assert_same_instance(codec.build(row, db=queryset.db), other)
    return codec

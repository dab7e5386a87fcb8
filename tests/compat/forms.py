"""
Every form of a write, and reads between them: what was marked, in which order, and whether what the cache said was true.

Run in a process of its own: ``python -m tests.compat.forms`` prints what `report` returns as JSON.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Collection
from typing import Any

import django
from django.core.management import call_command
from django.core.signals import request_finished
from django.db import IntegrityError, connection, transaction

log: list[Any] = []
wrong: list[str] = []
missed: list[str] = []


class Telling:
    """Writes down each commit with its tags, and passes it on to the sink that is installed."""

    def __init__(self, sink: Any) -> None:
        self.sink = sink

    def commit(self, connection: Any, tags: frozenset[str], commit: Callable[[], None]) -> None:
        from tests.capture.recorder import spelled

        log.append(sorted(spelled(connection, tags)))
        self.sink.commit(connection, tags, commit)
        log.append("resolved")


def set_up() -> None:
    """Set Django up, make the tables and the rows that the forms begin with, and write down every commit from now on."""
    from cache_consistency.capture import sink

    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    fill()
    if (installed := sink.installed()) is not None:
        sink.install(Telling(installed))


def fill() -> None:
    """Make the rows that the forms begin with."""
    from tests.compat.depot.models import Crate, Depot, Label

    Depot.objects.bulk_create([Depot(name="north"), Depot(name="south")])
    Label.objects.bulk_create([Label(text="fragile"), Label(text="heavy")])
    Crate.objects.bulk_create([Crate(code=f"c{number}", depot_id=1, weight=number) for number in range(1, 7)])


def all_forms() -> dict[str, Callable[[], object]]:
    from tests.compat.depot.models import Crate, Depot, Label, Note

    def failing() -> None:
        raise KeyError

    def save() -> None:
        crate = Crate.objects.get(code="c1")
        crate.weight = 10
        crate.save()

    def save_a_lookup() -> None:
        crate = Crate.objects.get(code="c1")
        crate.code, crate.depot_id = "c1b", 2
        crate.save()
        crate.code, crate.depot_id = "c1", 1
        crate.save(update_fields=["code", "depot"])

    def in_atomic() -> None:
        with transaction.atomic():
            Crate.objects.filter(code="c2").update(weight=20)
            Depot.objects.filter(pk=2).update(name="deep south")
            transaction.on_commit(lambda: log.append("on_commit"))
            log.append("the block ends")

    def rolled_back() -> None:
        try:
            with transaction.atomic():
                Crate.objects.filter(code="c2").update(weight=21)
                transaction.on_commit(lambda: log.append("never"))
                failing()
        except KeyError:
            log.append("rolled back")

    def savepoint_rolled_back() -> None:
        with transaction.atomic():
            Crate.objects.filter(code="c2").update(weight=22)
            try:
                with transaction.atomic():
                    Crate.objects.filter(code="c3").update(weight=23)
                    failing()
            except KeyError:
                log.append("rolled back")

    def collision() -> None:
        try:
            with transaction.atomic() if connection.in_atomic_block else contextlib.nullcontext():
                Crate.objects.create(code="c1", depot_id=1)
        except IntegrityError as error:
            log.append(type(error).__name__)

    def iterate_and_write() -> None:
        for crate in Crate.objects.order_by("pk").iterator(chunk_size=2):
            crate.weight += 1
            crate.save(update_fields=["weight"])

    def raw(sql: str, *params: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, params or None)

    def many() -> None:
        with connection.cursor() as cursor:
            cursor.executemany("UPDATE depot_crate SET weight = %s WHERE code = %s", [(31, "c3"), (41, "c4")])

    return {
        "create": lambda: Crate.objects.create(code="new", depot_id=1),
        "save": save,
        "save a lookup": save_a_lookup,
        "update": lambda: Crate.objects.filter(depot_id=1, code__in=["c1", "c3"]).update(weight=3),
        "update of nothing": lambda: Crate.objects.filter(code="none").update(weight=3),
        "delete": lambda: Crate.objects.get(code="new").delete(),
        "delete of a queryset": lambda: Crate.objects.filter(code="c6").delete(),
        "bulk_create": lambda: Crate.objects.bulk_create([Crate(code=f"b{number}", depot_id=2) for number in range(3)]),
        "bulk_create, some there": lambda: Crate.objects.bulk_create(
            [Crate(code="b1", depot_id=2), Crate(code="b9", depot_id=2)], ignore_conflicts=True),
        "bulk_update": lambda: Crate.objects.bulk_update(
            [Crate(pk=2, weight=200), Crate(pk=3, weight=300)], ["weight"]),
        "get_or_create": lambda: Crate.objects.get_or_create(code="g", defaults={"depot_id": 1}),
        "get_or_create, there": lambda: Crate.objects.get_or_create(code="g", defaults={"depot_id": 1}),
        "update_or_create": lambda: Crate.objects.update_or_create(code="g", defaults={"weight": 5}),
        "m2m add": lambda: Crate.objects.get(code="c1").labels.add(1, 2),
        "m2m remove": lambda: Crate.objects.get(code="c1").labels.remove(1),
        "m2m clear": lambda: Crate.objects.get(code="c1").labels.clear(),
        "raw SQL": lambda: raw("UPDATE depot_crate SET weight = weight + %s", 1),
        "raw SQL without parameters": lambda: raw("UPDATE depot_depot SET name = 'far south' WHERE id = 2"),
        "raw SQL that writes elsewhere": lambda: raw("UPDATE depot_note SET text = 'x'"),
        "executemany": many,
        "what nobody declared": lambda: (Note.objects.create(text="n"), Label.objects.create(text="l")),
        "in atomic": in_atomic,
        "rolled back": rolled_back,
        "savepoint rolled back": savepoint_rolled_back,
        "collision": collision,
        "iterate and write": iterate_and_write,
        "cascade": lambda: Depot.objects.get(pk=2).delete(),
    }


def all_reads() -> dict[str, Callable[[Any, Any], object]]:
    return {
        "get by pk": lambda crates, depots: _fields(crates.get(pk=1)),
        "get by a lookup": lambda crates, depots: _fields(crates.get(code="c2")),
        "absent": lambda crates, depots: crates.filter(code="never").first(),
        "list": lambda crates, depots: [_fields(crate) for crate in crates.filter(depot_id=1).order_by("pk")],
        "count": lambda crates, depots: crates.filter(weight__gt=2).count(),
        "values": lambda crates, depots: list(crates.order_by("pk").values_list("code", "depot__name", "price")),
        "all depots": lambda crates, depots: list(depots.order_by("pk").values("pk", "name")),
    }


def _fields(instance: Any) -> tuple[Any, ...]:
    return tuple(getattr(instance, field.attname) for field in instance._meta.concrete_fields)


def write_all(*, leave_out: Collection[str] = ()) -> dict[str, list[Any]]:
    """Write in every form, in one order; returns what was marked, and the ends of transactions, for each."""
    found: dict[str, list[Any]] = {}
    for name, form in all_forms().items():
        if name in leave_out:
            continue
        log.clear()
        form()
        found[name] = list(log)
        if not connection.in_atomic_block:
            compare(f"after {name}")
    log.clear()
    log.append(found)
    return found


def compare(when: str) -> None:
    """Read in every form through the cache, twice, and note what differs from the database or was not a hit the second time."""
    from cache_consistency import events
    from tests.compat.depot.models import Crate, Depot, cached

    for name, read in all_reads().items():
        truth = read(Crate.objects, Depot.objects)
        first = read(cached(Crate), cached(Depot))
        hits = events.total("hit")
        again = read(cached(Crate), cached(Depot))
        if not first == truth == again:
            wrong.append(f"{when}: {name}: {first!r}, {again!r}, in the database {truth!r}")
        if events.total("hit") != hits + 1:
            missed.append(f"{when}: {name}")


def report() -> dict[str, Any]:
    """Return the forms as `write_all` does, with an end of request between the two runs, as servers have it."""
    compare("at first")
    request_finished.send(None)
    found = write_all()
    request_finished.send(None)
    compare("at last")
    return {"forms": found, "wrong": wrong, "missed": missed}


if __name__ == "__main__":
    from tests.compat import forms  # not this module under the name __main__: views write to the log of that one

    forms.set_up()
    json.dump(forms.report(), sys.stdout)

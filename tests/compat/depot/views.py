"""Views that write and read; what they did is in the log of `tests.compat.forms`."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse

from tests.compat import forms
from tests.compat.depot.models import Crate, Depot, cached


def always(request: HttpRequest) -> bool:
    """Show the toolbar."""
    return True


def write_in_every_form(request: HttpRequest) -> HttpResponse:
    forms.write_all(leave_out=["executemany"])                        # debug-toolbar fails on it by itself
    return _page("written")


def move(request: HttpRequest) -> HttpResponse:
    """Read a crate through the cache and move it; under ATOMIC_REQUESTS the commit comes after the view."""
    crate = cached(Crate).get(code="c1")
    crate.depot = Depot.objects.get(name="south")
    crate.save()
    Crate.objects.filter(code="c2").update(weight=7)
    transaction.on_commit(lambda: forms.log.append("on_commit"))
    forms.log.append("the view ends")
    return _page(f"{cached(Crate).get(code='c1').depot_id} {cached(Crate).get(code='c2').weight}")


def show(request: HttpRequest) -> HttpResponse:
    crates = cached(Crate).filter(depot=cached(Depot).get(pk=1).pk).order_by("code")
    return _page(" ".join(f"{crate.code}:{crate.weight}" for crate in crates))


def collide(request: HttpRequest) -> HttpResponse:
    """Fail in the database after a write, and let it leave."""
    Crate.objects.filter(code="c2").update(weight=8)
    Crate.objects.create(code="c1", depot_id=1)
    return _page("not reached")


def collide_and_go_on(request: HttpRequest) -> HttpResponse:
    try:
        with transaction.atomic():
            Crate.objects.create(code="c1", depot_id=1)
    except IntegrityError as error:
        return _page(type(error).__name__)
    return _page("no error")


def _page(text: str) -> HttpResponse:
    return HttpResponse(f"<html><body><p>{text}</p></body></html>")

"""Set the stage in a shop that is seeded: who takes part in the traffic, and what comes and goes in it."""

import time
from pathlib import Path

from example_project.accounts.models import Customer
from example_project.catalog.models import Category, Label, Product
from example_project.demo.board import Board, Roster

WATCHED_PRODUCTS = 400
WATCHED_CUSTOMERS = 100
LABELLED = 12
FLASHES = tuple(f"FLASH-{number}" for number in range(1, 9))
_CATEGORY = "flash-deals"
_LABEL = "today only"


def set_stage(directory: Path, *, workers: int) -> Board:
    """Write roster and board into ``directory``; what an earlier demonstration left in a database that is kept is put back first."""
    Product.objects.filter(sku__in=FLASHES).delete()
    root, _ = Category.objects.get_or_create(slug="specials", defaults={"name": "Specials", "position": 900})
    category, _ = Category.objects.get_or_create(slug=_CATEGORY, defaults={"name": "Flash deals", "position": 901, "parent": root})
    label, _ = Label.objects.get_or_create(name=_LABEL)
    label.products.clear()
    products = tuple(Product.objects.order_by("pk").values_list("pk", "sku")[:WATCHED_PRODUCTS])
    leaves = Category.objects.filter(parent__isnull=False).exclude(pk=category.pk)
    roster = Roster(
        products=products,
        customers=tuple(Customer.objects.order_by("pk").values_list("pk", flat=True)[:WATCHED_CUSTOMERS]),
        categories=tuple(leaves.order_by("pk").values_list("pk", flat=True)),
        flashes=FLASHES,
        flash_category=category.pk,
        labelled=products[:LABELLED],
        label=label.pk,
        workers=workers,
    )
    board = Board.create(directory, roster)
    # What comes again has to come with a higher version than it ever had, also in an earlier demonstration.
    beginning = int(time.time() * 1000) << 1
    for number in range(len(roster.flashes)):
        board.begin_flash(number, beginning)
        board.finish_flash(number, beginning)
    for number in range(len(roster.labelled)):
        board.begin_label(number, beginning)
        board.finish_label(number, beginning)
    return board

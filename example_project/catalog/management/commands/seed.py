"""``manage.py seed``: fill an empty shop, with a bar that shows how far it is."""

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from example_project import seeding
from example_project.sizes import Size


def _not_negative(text: str) -> int:
    if not text.isdigit():
        raise ValueError(text)
    return int(text)


class Command(BaseCommand):
    help = "Fill an empty shop with products, customers and orders; the same ones for the same --random-seed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        defaults = Size()
        parser.add_argument("--products", type=_not_negative, default=defaults.products, metavar="N")
        parser.add_argument("--customers", type=_not_negative, default=defaults.customers, metavar="N")
        parser.add_argument("--orders", type=_not_negative, default=defaults.orders, metavar="N")
        parser.add_argument("--random-seed", type=int, default=1, metavar="N", help="Another number, another shop (default 1).")
        parser.add_argument("--fresh", action="store_true", help="Empty the shop first.")
        parser.add_argument("--logins", action="store_true", help="Add the logins admin/admin and customer/customer.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["fresh"]:
            seeding.empty()
        size = Size(products=options["products"], customers=options["customers"], orders=options["orders"])
        with _Bars(terminal=self.stderr.isatty(), say=self.stdout.write) as bars:
            try:
                seeding.seed(size, random_seed=options["random_seed"], progress=bars)
            except seeding.ShopNotEmpty as error:
                raise CommandError("The shop is not empty; --fresh empties it first.", returncode=2) from error
        if options["logins"]:
            seeding.make_user("admin", "admin", staff=True)
            seeding.make_user("customer", "customer", staff=False)
        summary = f"The shop has {size.products} products, {size.customers} customers and {size.orders} orders."
        self.stdout.write(self.style.SUCCESS(summary))


class _Bars:
    """A bar for each kind of row where tqdm and a terminal are there; a line for each otherwise."""

    def __init__(self, *, terminal: bool, say: Callable[[str], None]) -> None:
        self._say = say
        self._bar: Any = None
        self._make = _tqdm() if terminal else None

    def __enter__(self) -> "_Bars":
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._make is None:
            if done == total:
                self._say(f"{what}: {total}")
            return
        if done == 0:
            self._close()
            self._bar = self._make(desc=f"{what:>10}", total=total, unit="", ncols=80, leave=True)
        self._bar.update(done - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _tqdm() -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm

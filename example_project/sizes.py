"""How large a shop is; apart from `seeding`, so that it can be read before Django is set up."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    products: int = 2000
    customers: int = 500
    orders: int = 1000

from decimal import Decimal

from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cache_consistency import CachedManager
from example_project.accounts.models import Customer
from example_project.catalog.models import Product
from example_project.versioning import Versioned


class Order(Versioned):
    class Status(models.TextChoices):
        PLACED = "placed", _("placed")
        SHIPPED = "shipped", _("shipped")
        CANCELLED = "cancelled", _("cancelled")

    number = models.CharField(_("number"), max_length=32, unique=True)
    customer = models.ForeignKey(Customer, verbose_name=_("customer"), on_delete=models.CASCADE, related_name="orders")
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.PLACED)
    total = models.DecimalField(_("total"), max_digits=12, decimal_places=2, default=Decimal(0))
    placed_at = models.DateTimeField(_("placed"), default=timezone.now)

    objects = models.Manager()
    cached = CachedManager()

    class Meta:
        ordering = ("-pk",)
        cache_policy = {"ttl": "10m", "lookups": ["customer"]}
        cache_dependencies = ["customer", "lines.product"]

    def __str__(self) -> str:
        return self.number

    def get_absolute_url(self) -> str:
        return reverse("orders:order", args=[self.number])


class OrderLine(models.Model):
    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, verbose_name=_("product"), null=True, on_delete=models.SET_NULL, related_name="lines")
    name = models.CharField(_("name"), max_length=120)
    quantity = models.PositiveIntegerField(_("quantity"))
    price = models.DecimalField(_("price"), max_digits=10, decimal_places=2)

    objects = models.Manager()
    cached = CachedManager()

    class Meta:
        ordering = ("pk",)
        cache_policy = {"ttl": "10m", "lookups": ["order"]}

    def __str__(self) -> str:
        return f"{self.quantity} × {self.name}"

    @property
    def amount(self) -> Decimal:
        return self.price * self.quantity

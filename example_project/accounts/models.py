from django.contrib.auth.models import User
from django.db import models
from django.utils.translation import gettext_lazy as _

from cache_consistency import CachedManager
from example_project.versioning import Versioned


class Customer(Versioned):
    """Who buys. Users, who sign in, are rows of their own and not cached: a password's hash has no business in Redis."""

    class Tier(models.TextChoices):
        STANDARD = "standard", _("Standard")
        SILVER = "silver", _("Silver")
        GOLD = "gold", _("Gold")

    number = models.CharField(_("number"), max_length=20, unique=True)
    user = models.OneToOneField(User, verbose_name=_("user"), null=True, blank=True, on_delete=models.SET_NULL, related_name="customer")
    name = models.CharField(_("name"), max_length=120)
    email = models.EmailField(_("email"), blank=True)
    tier = models.CharField(_("tier"), max_length=10, choices=Tier.choices, default=Tier.STANDARD)
    points = models.PositiveIntegerField(_("points"), default=0)

    objects = models.Manager()
    cached = CachedManager()

    class Meta:
        ordering = ("number",)
        cache_policy = {"ttl": "30m"}
        cache_dependencies = ["addresses"]

    def __str__(self) -> str:
        return f"{self.name} ({self.number})"


class Address(models.Model):
    customer = models.ForeignKey(Customer, verbose_name=_("customer"), on_delete=models.CASCADE, related_name="addresses")
    label = models.CharField(_("label"), max_length=40, default="home")
    street = models.CharField(_("street"), max_length=120)
    city = models.CharField(_("city"), max_length=80)
    postcode = models.CharField(_("postcode"), max_length=16)
    country_code = models.CharField(_("country"), max_length=2)

    objects = models.Manager()
    cached = CachedManager()

    class Meta:
        ordering = ("pk",)
        verbose_name_plural = _("addresses")
        cache_policy = {"ttl": "30m", "lookups": ["customer"]}

    def __str__(self) -> str:
        return f"{self.street}, {self.postcode} {self.city}"

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from cache_consistency import CachedManager
from example_project.versioning import Versioned


class Country(models.Model):
    code = models.CharField(_("code"), max_length=2, unique=True)
    name = models.CharField(_("name"), max_length=80)

    objects = models.Manager()
    cached = CachedManager()

    class Meta:
        ordering = ("name",)
        verbose_name_plural = _("countries")
        cache_policy = {"ttl": "1h"}

    def __str__(self) -> str:
        return self.name


class Category(Versioned):
    """A tree; the shop sells from its leaves."""

    parent = models.ForeignKey("self", verbose_name=_("parent"), null=True, blank=True, on_delete=models.CASCADE, related_name="children")
    name = models.CharField(_("name"), max_length=80)
    slug = models.SlugField(_("slug"), unique=True)
    position = models.PositiveIntegerField(_("position"), default=0)

    objects = models.Manager()
    cached = CachedManager()

    class Meta:
        ordering = ("position", "pk")
        verbose_name_plural = _("categories")
        cache_policy = {"ttl": "1h", "lookups": ["parent"]}
        cache_dependencies = ["parent"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("catalog:category", args=[self.slug])


class Supplier(models.Model):
    name = models.CharField(_("name"), max_length=120)
    country = models.ForeignKey(Country, verbose_name=_("country"), on_delete=models.PROTECT, related_name="suppliers")

    objects = models.Manager()
    cached = CachedManager()

    class Meta:
        ordering = ("name",)
        cache_policy = {"ttl": "1h"}
        cache_dependencies = ["country"]

    def __str__(self) -> str:
        return self.name


class Label(models.Model):
    name = models.CharField(_("name"), max_length=40, unique=True)

    objects = models.Manager()
    cached = CachedManager()

    class Meta:
        ordering = ("name",)
        cache_policy = {"ttl": "1h"}

    def __str__(self) -> str:
        return self.name


class Product(Versioned):
    sku = models.CharField(_("SKU"), max_length=40, unique=True)
    slug = models.SlugField(_("slug"), max_length=80, unique=True)
    name = models.CharField(_("name"), max_length=120)
    description = models.TextField(_("description"), blank=True)
    price = models.DecimalField(_("price"), max_digits=10, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))])
    stock = models.PositiveIntegerField(_("stock"), default=0)
    active = models.BooleanField(_("active"), default=True)
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    category = models.ForeignKey(Category, verbose_name=_("category"), on_delete=models.CASCADE, related_name="products")
    supplier = models.ForeignKey(Supplier, verbose_name=_("supplier"), on_delete=models.PROTECT, related_name="products")
    labels = models.ManyToManyField(Label, verbose_name=_("labels"), blank=True, related_name="products")

    objects = models.Manager()
    cached = CachedManager()

    class Meta:
        ordering = ("pk",)
        cache_policy = {"ttl": "10m", "lookups": ["category"]}
        cache_dependencies = ["category", "supplier.country", "reviews", "catalog.PriceList"]

    def __str__(self) -> str:
        return f"{self.name} ({self.sku})"

    def get_absolute_url(self) -> str:
        return reverse("catalog:product", args=[self.sku])


class Review(models.Model):
    product = models.ForeignKey(Product, verbose_name=_("product"), on_delete=models.CASCADE, related_name="reviews")
    customer = models.ForeignKey("accounts.Customer", verbose_name=_("customer"), on_delete=models.CASCADE, related_name="reviews")
    rating = models.PositiveSmallIntegerField(_("rating"), validators=[MinValueValidator(1), MaxValueValidator(5)])
    text = models.TextField(_("text"), blank=True)
    created_at = models.DateTimeField(_("written"), auto_now_add=True)

    objects = models.Manager()
    cached = CachedManager()

    class Meta:
        ordering = ("-pk",)
        cache_policy = {"ttl": "10m", "lookups": ["product"]}

    def __str__(self) -> str:
        return f"{self.rating}/5 for {self.product_id}"


class PriceList(models.Model):
    """A discount on everything in a category, or in the whole shop."""

    name = models.CharField(_("name"), max_length=80)
    category = models.ForeignKey(Category, verbose_name=_("category"), null=True, blank=True, on_delete=models.CASCADE)
    percent = models.PositiveSmallIntegerField(_("percent off"), default=0, validators=[MaxValueValidator(90)])
    active = models.BooleanField(_("active"), default=False)

    objects = models.Manager()
    cached = CachedManager()

    class Meta:
        ordering = ("pk",)
        cache_policy = {"ttl": "1h"}

    def __str__(self) -> str:
        return f"{self.name}: -{self.percent} %"

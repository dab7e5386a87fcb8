from django.contrib import admin

from example_project.catalog.models import Category, Country, Label, PriceList, Product, Review, Supplier


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("sku", "name", "category", "price", "stock", "active", "version")
    list_editable = ("price", "stock", "active")
    list_filter = ("active", "category")
    list_select_related = ("category",)
    search_fields = ("sku", "name")
    autocomplete_fields = ("category", "supplier", "labels")
    readonly_fields = ("version", "updated_at")


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "parent", "slug", "position")
    list_select_related = ("parent",)
    search_fields = ("name", "slug")


@admin.register(Supplier)
class SupplierAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "country")
    list_select_related = ("country",)
    search_fields = ("name",)


@admin.register(Review)
class ReviewAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("product", "customer", "rating", "created_at")
    list_select_related = ("product", "customer")
    raw_id_fields = ("product", "customer")


@admin.register(PriceList)
class PriceListAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "category", "percent", "active")
    list_editable = ("percent", "active")
    list_select_related = ("category",)


@admin.register(Country, Label)
class NamedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    search_fields = ("name",)

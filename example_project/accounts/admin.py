from django.contrib import admin

from example_project.accounts.models import Address, Customer


class AddressInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Address
    extra = 0


@admin.register(Customer)
class CustomerAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("number", "name", "tier", "points", "version")
    list_filter = ("tier",)
    search_fields = ("number", "name", "email")
    raw_id_fields = ("user",)
    readonly_fields = ("version", "updated_at")
    inlines = (AddressInline,)

from collections.abc import Callable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from example_project.orders import services
from example_project.orders.models import Order, OrderLine


class LineInline(admin.TabularInline):  # type: ignore[type-arg]
    model = OrderLine
    extra = 0
    raw_id_fields = ("product",)


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("number", "customer", "status", "total", "placed_at")
    list_filter = ("status",)
    list_select_related = ("customer",)
    search_fields = ("number", "customer__name")
    raw_id_fields = ("customer",)
    readonly_fields = ("version", "updated_at")
    inlines = (LineInline,)
    actions = ("ship", "cancel")

    @admin.action(description=_("Ship the selected orders"))
    def ship(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        self._each(request, queryset, services.ship_order)

    @admin.action(description=_("Cancel the selected orders"))
    def cancel(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        self._each(request, queryset, services.cancel_order)

    def _each(self, request: HttpRequest, queryset: QuerySet[Order], act: Callable[[str], object]) -> None:
        done = sum(act(number) is not None for number in queryset.values_list("number", flat=True))
        self.message_user(request, ngettext("%d order was changed.", "%d orders were changed.", done) % done, messages.SUCCESS)

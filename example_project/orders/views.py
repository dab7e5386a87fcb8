"""Buying, and what was bought; a customer sees the own orders, staff sees all."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from example_project.accounts.services import customer_of
from example_project.orders import services
from example_project.orders.models import Order


def _order_or_404(request: HttpRequest, number: str) -> Order:
    """Somebody else's order is answered as one that does not exist."""
    try:
        found = services.get_order(number)
    except Order.DoesNotExist as missing:
        raise Http404(f"No order {number}") from missing
    customer = customer_of(request.user)  # type: ignore[arg-type]
    if not request.user.is_staff and (customer is None or found.customer_id != customer.pk):
        raise Http404(f"No order {number}")
    return found


@require_POST
@login_required
def buy(request: HttpRequest, sku: str) -> HttpResponse:
    customer = customer_of(request.user)  # type: ignore[arg-type]
    asked = request.POST.get("quantity", "1")
    quantity = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 4 else 0
    if customer is None:
        messages.error(request, _("This login belongs to no customer."))
        return redirect("catalog:product", sku)
    try:
        receipt = services.place_order(customer.pk, {sku: quantity})
    except services.OutOfStock as refusal:
        messages.error(request, str(refusal))
        return redirect("catalog:product", sku)
    messages.success(request, _("Thank you. Your order is placed."))
    return redirect(receipt.order)


@require_GET
@login_required
def order(request: HttpRequest, number: str) -> HttpResponse:
    found = _order_or_404(request, number)
    return render(request, "shop/order.html", {"order": found, "lines": services.lines_of(found)})


@require_POST
@login_required
def cancel(request: HttpRequest, number: str) -> HttpResponse:
    found = _order_or_404(request, number)
    if services.cancel_order(found.number) is None:
        messages.error(request, _("This order can no longer be cancelled."))
    else:
        messages.success(request, _("The order is cancelled."))
    return redirect(found)


@require_GET
@login_required
def api_order(request: HttpRequest, number: str) -> JsonResponse:
    found = _order_or_404(request, number)
    lines = [{"product": line.product_id, "quantity": line.quantity, "price": str(line.price)} for line in services.lines_of(found)]
    return JsonResponse({"number": found.number, "status": found.status, "total": str(found.total), "lines": lines})

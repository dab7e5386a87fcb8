"""The customer's own page, and the same as JSON."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from example_project.accounts import services
from example_project.orders.services import order_count, orders_of


@require_GET
@login_required
def profile(request: HttpRequest) -> HttpResponse:
    customer = services.customer_of(request.user)  # type: ignore[arg-type]
    if customer is None:
        return render(request, "shop/no_customer.html")
    return render(
        request,
        "shop/profile.html",
        {"customer": customer, "addresses": services.addresses_of(customer), "orders": orders_of(customer),
         "order_count": order_count(customer)},
    )  # fmt: skip


@require_GET
@login_required
def api_profile(request: HttpRequest) -> JsonResponse:
    customer = services.customer_of(request.user)  # type: ignore[arg-type]
    if customer is None:
        raise Http404("This user is no customer")
    return JsonResponse(
        {"number": customer.number, "name": customer.name, "tier": customer.tier, "points": customer.points,
         "orders": [order.number for order in orders_of(customer)]}
    )  # fmt: skip

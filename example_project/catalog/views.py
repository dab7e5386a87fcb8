"""The catalog's pages, and the same as JSON."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from example_project.accounts.services import customer_of
from example_project.catalog import services
from example_project.catalog.models import Category, Product


def _product_or_404(sku: str) -> Product:
    found = services.find_product(sku)
    if found is None:
        raise Http404(f"No product {sku}")
    return found


def _category_or_404(slug: str) -> Category:
    try:
        return services.get_category(slug)
    except Category.DoesNotExist as missing:
        raise Http404(f"No category {slug}") from missing


def _page(request: HttpRequest) -> int:
    asked = request.GET.get("page", "1")
    return int(asked) if asked.isascii() and asked.isdigit() and 0 < len(asked) < 6 and int(asked) > 0 else 1


def _tree() -> list[tuple[Category, list[Category]]]:
    """Return the two levels of the menu: each root with its children."""
    found = services.categories()
    return [(root, [child for child in found if child.parent_id == root.pk]) for root in found if root.parent_id is None]


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    tree = _tree()
    shelves = [(child, services.list_category(child)[:3]) for _root, children in tree for child in children[:1]]
    return render(request, "shop/home.html", {"tree": tree, "shelves": [shelf for shelf in shelves if shelf[1]][:4]})


@require_GET
def category(request: HttpRequest, slug: str) -> HttpResponse:
    chosen, page = _category_or_404(slug), _page(request)
    products, total = services.list_category(chosen, page), services.count_products(chosen)
    pages = max(1, -(-total // services.PAGE_SIZE))
    return render(
        request,
        "shop/category.html",
        {"tree": _tree(), "category": chosen, "products": products, "total": total, "page": page, "pages": pages,
         "previous": page - 1 if page > 1 else None, "next": page + 1 if page < pages else None},
    )  # fmt: skip


@require_GET
def product(request: HttpRequest, sku: str) -> HttpResponse:
    found = _product_or_404(sku)
    return render(
        request,
        "shop/product.html",
        {"tree": _tree(), "product": found, "labels": services.labels_of(found), "reviews": services.reviews_of(found),
         "discount": services.discount(found), "final_price": services.final_price(found), "facts": _facts(found)},
    )  # fmt: skip


def _facts(found: Product) -> list[tuple[str, str]]:
    attributes = found.attributes.items() if isinstance(found.attributes, dict) else ()
    return [(name.replace("_", " "), ", ".join(map(str, value)) if isinstance(value, list) else str(value)) for name, value in attributes]


@require_POST
@login_required
def review(request: HttpRequest, sku: str) -> HttpResponse:
    found, customer = _product_or_404(sku), customer_of(request.user)  # type: ignore[arg-type]
    rating = request.POST.get("rating", "")
    if customer is None:
        messages.error(request, _("Only customers review what they bought."))
    elif rating not in {"1", "2", "3", "4", "5"}:
        messages.error(request, _("A rating is a number from 1 to 5."))
    else:
        services.add_review(found, customer, rating=int(rating), text=request.POST.get("text", "")[:2000])
        messages.success(request, _("Thank you for your review."))
    return redirect(found)


def product_data(found: Product) -> dict[str, Any]:
    return {
        "sku": found.sku,
        "name": found.name,
        "price": str(found.price),
        "stock": found.stock,
        "active": found.active,
        "category": found.category_id,
        "attributes": found.attributes,
        "version": found.version,
    }


@require_GET
def api_product(request: HttpRequest, sku: str) -> JsonResponse:
    found = _product_or_404(sku)
    labels = [label.name for label in services.labels_of(found)]
    return JsonResponse({**product_data(found), "labels": labels, "final_price": str(services.final_price(found))})


@require_GET
def api_categories(request: HttpRequest) -> JsonResponse:
    found = services.categories()
    return JsonResponse({"categories": [{"id": c.pk, "slug": c.slug, "name": c.name, "parent": c.parent_id} for c in found]})


@require_GET
def api_category(request: HttpRequest, slug: str) -> JsonResponse:
    chosen, page = _category_or_404(slug), _page(request)
    products = services.list_category(chosen, page)
    return JsonResponse(
        {"slug": chosen.slug, "name": chosen.name, "page": page, "total": services.count_products(chosen),
         "products": [product_data(found) for found in products]}
    )  # fmt: skip

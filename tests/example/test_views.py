import re

import pytest
from django.test import Client

from example_project.accounts.factories import CustomerFactory, UserFactory
from example_project.accounts.models import Customer
from example_project.catalog.factories import CategoryFactory, ProductFactory, ReviewFactory
from example_project.catalog.models import Product, Review
from example_project.orders import services as orders

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mode")]


@pytest.fixture
def product() -> Product:
    root = CategoryFactory(name="Kitchen")
    return ProductFactory(
        sku="A-1", name="Quiet Pot", category=CategoryFactory(slug="pots", parent=root), attributes={"colours": ["ink", "sand"]}
    )


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory(user=UserFactory())


@pytest.fixture
def signed_in(client: Client, customer: Customer) -> Client:
    assert customer.user is not None
    client.force_login(customer.user)
    return client


class TestPages:
    @pytest.mark.parametrize("mode", ["consistent", "naive", "off"], indirect=True)
    def test_home_category_and_product_show_the_product(self, client: Client, product: Product) -> None:
        ReviewFactory(product=product, text="Fine.")
        for address in ("/", "/c/pots/", "/p/A-1/"):
            page = client.get(address)
            assert page.status_code == 200, address
            assert b"Quiet Pot" in page.content
        assert b"ink, sand" in client.get("/p/A-1/").content
        assert b"Fine." in client.get("/p/A-1/").content

    def test_an_empty_shop_says_how_to_fill_it(self, client: Client) -> None:
        assert b"manage.py seed" in client.get("/").content

    @pytest.mark.parametrize("address", ["/p/nope/", "/c/nope/", "/api/products/nope/"])
    def test_what_is_not_there_is_a_404(self, client: Client, address: str) -> None:
        assert client.get(address).status_code == 404

    @pytest.mark.parametrize("page", ["", "0", "-1", "x", "99999999999", "²"])
    def test_a_senseless_page_number_is_the_first_page(self, client: Client, product: Product, page: str) -> None:
        assert b"Quiet Pot" in client.get("/c/pots/", {"page": page}).content

    def test_pages_follow_each_other(self, client: Client, product: Product) -> None:
        ProductFactory.create_batch(20, category=product.category)
        assert b"?page=2" in client.get("/c/pots/").content
        assert b"?page=1" in client.get("/c/pots/?page=2").content

    def test_no_page_holds_an_inline_script_or_style(self, signed_in: Client, product: Product, customer: Customer) -> None:
        order = orders.place_order(customer.pk, {"A-1": 1}).order
        for address in ("/", "/c/pots/", "/p/A-1/", "/account/", order.get_absolute_url(), "/login/login/"):
            page = signed_in.get(address)
            assert "default-src 'self'" in page.headers["Content-Security-Policy"]
            assert not re.search(rb"<script|<style|\sstyle=|\son\w+=", page.content), address


class TestBuying:
    def test_a_customer_buys_sees_the_order_and_takes_it_back(self, signed_in: Client, product: Product) -> None:
        page = signed_in.post("/orders/buy/A-1/", {"quantity": "2"}, follow=True)
        assert b"Your order is placed" in page.content
        assert b"Quiet Pot" in page.content
        page = signed_in.post(page.request["PATH_INFO"] + "cancel/", follow=True)
        assert b"cancelled" in page.content
        assert Product.objects.get(pk=product.pk).stock == 100

    @pytest.mark.parametrize("quantity", ["0", "101", "x", ""])
    def test_what_cannot_be_sold_is_said_on_the_products_page(self, signed_in: Client, product: Product, quantity: str) -> None:
        page = signed_in.post("/orders/buy/A-1/", {"quantity": quantity}, follow=True)
        assert page.request["PATH_INFO"] == "/p/A-1/"
        assert b'class="error"' in page.content

    def test_nobody_buys_without_signing_in(self, client: Client, product: Product) -> None:
        assert client.post("/orders/buy/A-1/").headers["Location"].startswith("/login/login/")

    def test_somebody_elses_order_is_not_there(self, signed_in: Client, product: Product) -> None:
        order = orders.place_order(CustomerFactory().pk, {"A-1": 1}).order
        assert signed_in.get(order.get_absolute_url()).status_code == 404
        assert signed_in.post(order.get_absolute_url() + "cancel/").status_code == 404
        assert signed_in.get(f"/orders/api/{order.number}/").status_code == 404

    def test_staff_sees_every_order(self, client: Client, product: Product) -> None:
        order = orders.place_order(CustomerFactory().pk, {"A-1": 1}).order
        client.force_login(UserFactory(is_staff=True))
        assert client.get(order.get_absolute_url()).status_code == 200

    def test_a_login_without_a_customer_is_told_so(self, client: Client, product: Product) -> None:
        client.force_login(UserFactory())
        assert b"belongs to no customer" in client.get("/account/").content
        assert b"belongs to no customer" in client.post("/orders/buy/A-1/", follow=True).content

    def test_a_review_needs_a_rating_that_exists(self, signed_in: Client, product: Product) -> None:
        signed_in.post("/p/A-1/review/", {"rating": "9", "text": "?"})
        assert Review.objects.count() == 0
        signed_in.post("/p/A-1/review/", {"rating": "5", "text": "Yes."})
        assert Review.objects.get().text == "Yes."


class TestJson:
    def test_a_product_and_its_category(self, client: Client, product: Product) -> None:
        found = client.get("/api/products/A-1/").json()
        assert (found["sku"], found["price"], found["version"], found["labels"]) == ("A-1", "10.00", 1, [])
        listed = client.get("/api/categories/pots/").json()
        assert [item["sku"] for item in listed["products"]] == ["A-1"]
        assert listed["total"] == 1
        assert {item["slug"] for item in client.get("/api/categories/").json()["categories"]} >= {"pots"}

    def test_the_own_profile_and_order(self, signed_in: Client, product: Product, customer: Customer) -> None:
        order = orders.place_order(customer.pk, {"A-1": 3}).order
        assert signed_in.get("/account/api/").json()["orders"] == [order.number]
        assert signed_in.get(f"/orders/api/{order.number}/").json()["total"] == "30.00"


class TestAdmin:
    @pytest.mark.parametrize("place", ["catalog/product", "catalog/category", "catalog/pricelist", "accounts/customer", "orders/order"])
    def test_lists_and_forms_open(self, admin_client: Client, product: Product, place: str) -> None:
        orders.place_order(CustomerFactory().pk, {"A-1": 1})
        assert admin_client.get(f"/admin/{place}/").status_code == 200
        assert admin_client.get(f"/admin/{place}/add/").status_code == 200

    def test_orders_are_shipped_and_cancelled_from_the_list(self, admin_client: Client, product: Product) -> None:
        order = orders.place_order(CustomerFactory().pk, {"A-1": 1}).order
        page = admin_client.post("/admin/orders/order/", {"action": "cancel", "_selected_action": [order.pk]}, follow=True)
        assert b"1 order was changed" in page.content
        page = admin_client.post("/admin/orders/order/", {"action": "ship", "_selected_action": [order.pk]}, follow=True)
        assert b"0 orders were changed" in page.content

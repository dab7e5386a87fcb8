from decimal import Decimal
from typing import Any

import pytest

from example_project.accounts import services as accounts
from example_project.accounts.factories import AddressFactory, CustomerFactory, UserFactory
from example_project.accounts.models import Customer
from example_project.catalog import services as catalog
from example_project.catalog.factories import CategoryFactory, LabelFactory, PriceListFactory, ProductFactory, ReviewFactory
from example_project.catalog.models import Product
from example_project.orders import services as orders
from example_project.orders.models import Order, OrderLine
from example_project.reads import mode as read_mode
from example_project.reads import source

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mode")]
every_mode = pytest.mark.parametrize("mode", ["consistent", "naive", "off"], indirect=True)


@every_mode
class TestReads:
    def test_a_product_is_found_by_sku_and_by_pk(self) -> None:
        product = ProductFactory(sku="A-1", attributes={"colours": ["ink"]})
        for _ in range(2):  # the second time from the cache, where there is one
            assert catalog.get_product("A-1") == product
            assert catalog.get_product("A-1").attributes == {"colours": ["ink"]}
            assert orders.product_by_pk(product.pk).price == Decimal("10.00")

    def test_a_missing_product_is_none_or_raises(self) -> None:
        for _ in range(2):
            assert catalog.find_product("nope") is None
            with pytest.raises(Product.DoesNotExist):
                catalog.get_product("nope")

    def test_a_category_lists_its_active_products_in_pages(self) -> None:
        category = CategoryFactory()
        products = ProductFactory.create_batch(23, category=category)
        ProductFactory(category=category, active=False)
        ProductFactory()
        assert catalog.list_category(category) == products[:20]
        assert catalog.list_category(category, 2) == products[20:]
        assert catalog.list_category(category, 3) == []

    def test_everything_about_a_product_is_there(self) -> None:
        product, label = ProductFactory(), LabelFactory()
        catalog.put_label(product, label)
        review = ReviewFactory(product=product)
        assert catalog.labels_of(product) == [label]
        assert catalog.reviews_of(product) == [review]

    def test_a_customer_has_addresses_and_orders(self) -> None:
        customer, product = CustomerFactory(), ProductFactory(sku="A-1")
        address = AddressFactory(customer=customer)
        receipt = orders.place_order(customer.pk, {product.sku: 2})
        assert accounts.get_customer(customer.pk) == customer
        assert accounts.addresses_of(customer) == [address]
        assert orders.orders_of(customer) == [receipt.order]
        assert orders.order_count(customer) == 1
        assert orders.get_order(receipt.order.number).total == Decimal("20.00")
        assert [line.quantity for line in orders.lines_of(receipt.order)] == [2]

    def test_the_categories_come_in_their_order(self) -> None:
        second, first = CategoryFactory(position=2), CategoryFactory(position=1)
        assert catalog.categories() == [first, second]

    def test_a_login_leads_to_its_customer(self) -> None:
        customer = CustomerFactory(user=UserFactory())
        assert accounts.customer_of(customer.user) == customer
        assert accounts.customer_of(UserFactory()) is None


class TestSeam:
    def test_the_consistent_mode_reads_through_the_cached_manager(self, settings: Any) -> None:
        settings.SHOP_CACHE = "consistent"
        assert source(Product).name == "cached"
        settings.SHOP_CACHE = "off"
        assert source(Product) is Product.objects

    def test_an_unknown_mode_is_refused_by_name(self, settings: Any) -> None:
        settings.SHOP_CACHE = "magic"
        with pytest.raises(ValueError, match="magic"):
            read_mode()


@pytest.mark.parametrize("mode", ["naive"], indirect=True)
class TestTheOldCaching:
    """The bugs it is kept for: each of these is a stale read that a user of the shop would see."""

    def test_an_update_leaves_the_old_row_in_the_cache(self) -> None:
        product = ProductFactory(stock=5)
        catalog.get_product(product.sku)
        catalog.restock(product.sku, 10)
        assert catalog.get_product(product.sku).stock == 5
        assert Product.objects.get(pk=product.pk).stock == 15

    def test_a_save_frees_the_copy_of_one_room_and_not_of_the_other(self) -> None:
        product = ProductFactory()
        catalog.get_product(product.sku), orders.product_by_pk(product.pk)
        catalog.update_price(product.sku, Decimal("12.00"))
        assert catalog.get_product(product.sku).price == Decimal("12.00")
        assert orders.product_by_pk(product.pk).price == Decimal("10.00")

    def test_the_second_page_of_a_list_stays(self) -> None:
        category = CategoryFactory()
        *_, last = ProductFactory.create_batch(21, category=category)
        catalog.list_category(category, 2)
        catalog.update_price(last.sku, Decimal("12.00"))
        assert catalog.list_category(category, 2)[0].price == Decimal("10.00")

    def test_points_are_added_behind_the_cache(self) -> None:
        customer, product = CustomerFactory(), ProductFactory()
        accounts.get_customer(customer.pk)
        orders.place_order(customer.pk, {product.sku: 1})
        assert accounts.get_customer(customer.pk).points == 0
        assert Customer.objects.get(pk=customer.pk).points == 10


class TestVersions:
    """Every write form counts by one, in the database, and says what it counted to."""

    def version(self, product: Product) -> int:
        return Product.objects.values_list("version", flat=True).get(pk=product.pk)

    def test_services_that_return_a_product_return_its_new_version(self) -> None:
        product, category = ProductFactory(), CategoryFactory()
        assert catalog.update_price(product.sku, Decimal(9)).version == 2
        assert catalog.rename_product(product.sku, "Other").version == 3
        assert catalog.move_product(product.sku, category).version == 4
        assert [found.version for found in catalog.correct_stocks({product.sku: 3})] == [5]
        assert self.version(product) == 5

    def test_updates_count_too(self) -> None:
        product = ProductFactory()
        assert catalog.restock(product.sku, 5) == 1
        assert [found.version for found in catalog.reprice([product.sku], 10)] == [3]
        found = Product.objects.get(pk=product.pk)
        assert (found.version, found.stock, found.price) == (3, 105, Decimal("11.00"))

    def test_a_save_of_an_old_copy_does_not_set_the_count_back(self) -> None:
        product = ProductFactory()
        old = Product.objects.get(pk=product.pk)
        catalog.restock(product.sku, 1)
        old.save()
        assert old.version == self.version(product) == 3

    def test_a_retired_sku_comes_back_where_it_left_off(self) -> None:
        product = ProductFactory(sku="A-1")
        assert catalog.retire_product("A-1") is True
        assert catalog.retire_product("A-1") is False
        again = catalog.create_product(
            sku="A-1", name="Again", price=Decimal(1), category=product.category, supplier=product.supplier, version=7
        )
        assert self.version(again) == 7

    def test_a_renamed_category_has_a_new_slug(self) -> None:
        category = catalog.rename_category(CategoryFactory().pk, "New name")
        assert (category.slug, category.version) == (f"new-name-{category.pk}", 2)


class TestOrders:
    def test_an_order_takes_the_stock_and_says_what_it_left(self) -> None:
        customer, (first, second) = CustomerFactory(points=5), ProductFactory.create_batch(2, stock=10)
        receipt = orders.place_order(customer.pk, {second.sku: 3, first.sku: 1})
        assert [(p.pk, p.stock, p.version) for p in receipt.products] == [(first.pk, 9, 2), (second.pk, 7, 2)]
        assert receipt.order.total == Decimal("40.00")
        assert (receipt.customer.points, receipt.customer.version) == (45, 2)

    def test_a_discount_in_force_is_in_the_price(self) -> None:
        product = ProductFactory(price=Decimal("9.99"))
        PriceListFactory(percent=20, category=product.category)
        PriceListFactory(percent=50, active=False)
        assert catalog.final_price(product) == Decimal("7.99")
        assert orders.place_order(CustomerFactory().pk, {product.sku: 1}).order.total == Decimal("7.99")

    @pytest.mark.parametrize("quantities", [{"A-1": 11}, {"A-1": 0}, {"A-1": 1, "gone": 1}])
    def test_an_order_that_cannot_be_served_writes_nothing(self, quantities: dict[str, int]) -> None:
        product = ProductFactory(sku="A-1", stock=10)
        with pytest.raises(orders.OutOfStock):
            orders.place_order(CustomerFactory().pk, quantities)
        assert Order.objects.count() == 0
        assert Product.objects.get(pk=product.pk).stock == 10

    def test_a_cancelled_order_gives_its_goods_back_once(self) -> None:
        product = ProductFactory(stock=10)
        order = orders.place_order(CustomerFactory().pk, {product.sku: 4}).order
        receipt = orders.cancel_order(order.number)
        assert receipt is not None
        assert [found.stock for found in receipt.products] == [10]
        assert orders.cancel_order(order.number) is None
        assert orders.ship_order(order.number) is None

    def test_lines_outlive_the_product(self) -> None:
        product = ProductFactory()
        order = orders.place_order(CustomerFactory().pk, {product.sku: 1}).order
        catalog.retire_product(product.sku)
        assert OrderLine.objects.get(order=order).name == product.name

    def test_only_a_waiting_order_is_shipped(self) -> None:
        order = orders.place_order(CustomerFactory().pk, {ProductFactory().sku: 1}).order
        shipped = orders.ship_order(order.number)
        assert shipped is not None
        assert shipped.status == Order.Status.SHIPPED
        assert orders.cancel_order(order.number) is None


class TestCustomers:
    def test_a_customer_may_be_renamed_and_promoted(self) -> None:
        customer = CustomerFactory()
        accounts.rename_customer(customer.pk, "Ada")
        changed = accounts.change_tier(customer.pk, "gold")
        assert (changed.name, changed.tier, changed.version) == ("Ada", "gold", 3)

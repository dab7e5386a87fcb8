from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "example_project.orders"

    def ready(self) -> None:
        from example_project.orders import legacy_cache
        from example_project.reads import Mode, mode

        if mode() is Mode.NAIVE:
            legacy_cache.connect()

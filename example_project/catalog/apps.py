from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "example_project.catalog"

    def ready(self) -> None:
        from example_project.catalog import legacy_cache
        from example_project.reads import Mode, mode

        if mode() is Mode.NAIVE:
            legacy_cache.connect()

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "example_project.accounts"

    def ready(self) -> None:
        from example_project.accounts import legacy_cache
        from example_project.reads import Mode, mode

        if mode() is Mode.NAIVE:
            legacy_cache.connect()

from django.apps import AppConfig


class ReadingConfig(AppConfig):
    name = "tests.reading"
    label = "reading_tests"
    default_auto_field = "django.db.models.BigAutoField"

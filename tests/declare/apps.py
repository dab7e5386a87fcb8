from django.apps import AppConfig


class DeclareTestsConfig(AppConfig):
    name = "tests.declare"
    label = "declare_tests"
    default_auto_field = "django.db.models.BigAutoField"

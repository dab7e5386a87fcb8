from django.apps import AppConfig


class StrangeConfig(AppConfig):
    name = "tests.strange"
    label = "strange"
    default_auto_field = "django.db.models.BigAutoField"

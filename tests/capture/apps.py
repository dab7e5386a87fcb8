from django.apps import AppConfig


class CaptureTestsConfig(AppConfig):
    name = "tests.capture"
    label = "capture_tests"
    default_auto_field = "django.db.models.BigAutoField"

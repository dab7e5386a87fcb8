"""Addresses of the shop."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("login/", include("django.contrib.auth.urls")),
    path("", include("example_project.catalog.urls")),
    path("account/", include("example_project.accounts.urls")),
    path("orders/", include("example_project.orders.urls")),
]

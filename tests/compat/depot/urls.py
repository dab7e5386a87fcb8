from django.apps import apps
from django.urls import URLPattern, URLResolver, include, path

from tests.compat.depot import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("forms/", views.write_in_every_form),
    path("move/", views.move),
    path("show/", views.show),
    path("collide/", views.collide),
    path("collide-and-go-on/", views.collide_and_go_on),
]
if apps.is_installed("debug_toolbar"):
    urlpatterns.append(path("__debug__/", include("debug_toolbar.urls")))

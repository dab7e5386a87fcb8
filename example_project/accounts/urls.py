from django.urls import path

from example_project.accounts import views

app_name = "accounts"
urlpatterns = [
    path("", views.profile, name="profile"),
    path("api/", views.api_profile, name="api-profile"),
]

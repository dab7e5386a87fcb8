from django.urls import path

from example_project.orders import views

app_name = "orders"
urlpatterns = [
    path("buy/<str:sku>/", views.buy, name="buy"),
    path("<str:number>/", views.order, name="order"),
    path("<str:number>/cancel/", views.cancel, name="cancel"),
    path("api/<str:number>/", views.api_order, name="api-order"),
]

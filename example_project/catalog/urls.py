from django.urls import path

from example_project.catalog import views

app_name = "catalog"
urlpatterns = [
    path("", views.home, name="home"),
    path("c/<slug:slug>/", views.category, name="category"),
    path("p/<str:sku>/", views.product, name="product"),
    path("p/<str:sku>/review/", views.review, name="review"),
    path("api/categories/", views.api_categories, name="api-categories"),
    path("api/categories/<slug:slug>/", views.api_category, name="api-category"),
    path("api/products/<str:sku>/", views.api_product, name="api-product"),
]

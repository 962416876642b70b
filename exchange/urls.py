from django.urls import include, path

urlpatterns = [
    path("admin/", include("exchange.admin.urls")),
]

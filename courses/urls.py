"""Addresses of the courses' pages."""

from django.urls import path

from courses import files, people, views

app_name = "courses"
urlpatterns = [
    path("courses", views.index, name="index"),
    path("courses/<uuid:course_id>", views.show, name="show"),
    path("courses/<uuid:course_id>/documents/<uuid:document_id>", views.document, name="document"),
    path("courses/<uuid:course_id>/documents/<uuid:document_id>/file", files.original, name="file"),
    path(
        "courses/<uuid:course_id>/documents/<uuid:document_id>/pages/<int:number>", files.page_image, name="page-image"
    ),
    path("courses/<uuid:course_id>/people", people.show, name="people"),
    path("courses/<uuid:course_id>/people/enrol", people.add, name="enrol"),
    path("courses/<uuid:course_id>/people/remove", people.remove, name="unenrol"),
    path("courses/<uuid:course_id>/people/list", people.upload, name="roster"),
    path("courses/<uuid:course_id>/people/links", people.make_link, name="make-link"),
    path("courses/<uuid:course_id>/people/links/<int:link_id>/close", people.close_link, name="close-link"),
    path("courses/join/<str:code>", people.join, name="join"),
    path("courses/<uuid:course_id>/material", views.material, name="material"),
    path("courses/<uuid:course_id>/documents", views.upload, name="upload"),
    path("courses/<uuid:course_id>/documents/<uuid:document_id>/reingest", views.reingest, name="reingest"),
    path("courses/<uuid:course_id>/documents/<uuid:document_id>/remove", views.remove, name="remove"),
]

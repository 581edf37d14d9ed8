"""Addresses of the courses' API."""

from core.api.routes import both
from courses.api.views import CoursesView, DocumentsView, EnrolmentsView

COURSE = "courses/<str:course_id>"

urlpatterns = [
    *both("courses", CoursesView.as_view({"get": "list", "post": "create"}), "courses"),
    *both(COURSE, CoursesView.as_view({"get": "retrieve"}), "course"),
    *both(f"{COURSE}/lectures", CoursesView.as_view({"get": "lectures"}), "lectures"),
    *both(f"{COURSE}/passages", CoursesView.as_view({"get": "passages"}), "passages"),
    *both(f"{COURSE}/enrolments", EnrolmentsView.as_view({"get": "list", "post": "create"}), "enrolments"),
    *both(f"{COURSE}/enrolments/<str:username>", EnrolmentsView.as_view({"delete": "destroy"}), "enrolment"),
    *both(f"{COURSE}/documents", DocumentsView.as_view({"get": "list", "post": "create"}), "documents"),
    *both("documents/<str:document_id>", DocumentsView.as_view({"get": "retrieve", "delete": "destroy"}), "document"),
    *both("documents/<str:document_id>/reingest", DocumentsView.as_view({"post": "reingest"}), "reingest"),
]

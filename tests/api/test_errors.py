"""What the API says to what it can't do: one shape, the right status, never a traceback."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from courses.models import Course
from tests.api.conftest import Program

pytestmark = pytest.mark.django_db


def refused(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response["content-type"] == "application/json"
    body: dict[str, Any] = response.json()
    assert body["code"] == code
    assert body["detail"]
    return body


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/courses/x/y/z", "/api/nothing/"])
@pytest.mark.parametrize("method", ["get", "post", "delete", "patch"])
def test_an_unknown_address_is_a_json_404(path: str, method: str) -> None:
    refused(getattr(Client(), method)(path), 404, "not_found")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer a b c"},
        {"authorization": "Bearer \xff\xfe"},
        {"authorization": "Bearer " + "x" * 5000},
        {"authorization": "Basic dXNlcjpwYXNz"},
    ],
)
def test_no_token_or_a_bad_one_is_401(headers: dict[str, str]) -> None:
    response = Client(headers={"accept": "application/json", **headers}).get("/api/courses")
    assert refused(response, 401, "invalid_token" if "bearer" in str(headers).lower() else "not_authenticated")
    assert response["www-authenticate"].startswith("Bearer")


def test_a_bad_token_is_401_whatever_cookie_comes_with_it(student: User) -> None:
    browser = Client(headers={"accept": "application/json", "authorization": "Bearer wrong"})
    browser.force_login(student, backend="django.contrib.auth.backends.ModelBackend")
    refused(browser.get("/api/courses"), 401, "invalid_token")


def test_a_cookie_without_its_csrf_token_is_403(student: User) -> None:
    browser = Client(enforce_csrf_checks=True, headers={"accept": "application/json"})
    browser.force_login(student, backend="django.contrib.auth.backends.ModelBackend")
    assert browser.get("/api/courses").status_code == 200
    refused(browser.post("/api/courses", {}, content_type="application/json"), 403, "csrf_failed")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"code": ', "line 1, column 10"),
        (b'{"code": 1,\n "title" 2}', "line 2, column 10"),
        (b'{"code": NaN}', "NaN"),
        (b'{"code": "\xff"}', "byte 10"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"code": ' + b"9" * 5000 + b"}", "can't be read"),
    ],
)
def test_a_body_that_is_no_json_is_400_and_says_where(api: Program, body: bytes, place: str) -> None:
    response = api.post("/api/courses", body, content_type="application/json")
    assert place in refused(response, 400, "parse_error")["detail"]


def test_the_wrong_method_type_or_accept(api: Program, settings: Any) -> None:
    refused(api.delete("/api/courses"), 405, "method_not_allowed")
    refused(api.post("/api/courses", "a", content_type="text/plain"), 415, "unsupported_media_type")
    refused(api.get("/api/courses", headers={"accept": "application/pdf"}), 406, "not_acceptable")
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    refused(api.post("/api/courses", {"code": "x" * 200}), 413, "too_large")


@pytest.mark.parametrize("body", [[], '"text"', 5, None, {}])
def test_a_body_of_the_wrong_shape_is_422(api: Program, body: Any) -> None:
    response = api.post("/api/courses", "null" if body is None else body)
    assert refused(response, 422, "validation_error")["errors"]


def test_unknown_fields_are_named(operator: User) -> None:
    response = Program(operator).post("/api/courses", {"code": "A", "title": "B", "colour": "red"})
    assert refused(response, 422, "validation_error")["errors"] == {"colour": ["There is no such field."]}


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_text_that_cannot_be_stored_is_422(operator: User, text: str) -> None:
    response = Program(operator).post("/api/courses", {"code": "A", "title": text})
    assert list(refused(response, 422, "validation_error")["errors"]) == ["title"]


@pytest.mark.parametrize("course_id", ["1", "nothing", "0198c0de-7e57-7000-8000-000000000001", "%00", "a" * 3000, "é"])
def test_unknown_ids_of_any_shape_are_404(api: Program, course_id: str) -> None:
    for path in ("", "/lectures", "/passages", "/enrolments", "/documents"):
        refused(api.get(f"/api/courses/{course_id}{path}"), 404, "not_found")
    refused(api.get(f"/api/documents/{course_id}"), 404, "not_found")
    refused(api.post(f"/api/documents/{course_id}/reingest"), 404, "not_found")


def test_too_many_requests_are_429_and_say_when_to_come_back(api: Program, settings: Any) -> None:
    settings.THROTTLE_OTHER = "2/min"
    assert [api.get("/api/courses").status_code for _ in range(3)] == [200, 200, 429]
    response = api.get("/api/courses")
    refused(response, 429, "throttled")
    assert 1 <= int(response["retry-after"]) <= 60


def test_each_person_is_throttled_alone(api: Program, stranger: Program, settings: Any) -> None:
    settings.THROTTLE_OTHER = "1/min"
    assert api.get("/api/courses").status_code == 200
    assert stranger.get("/api/courses").status_code == 200
    assert api.get("/api/courses").status_code == 429


def test_a_forwarded_address_is_not_believed_without_a_proxy(settings: Any) -> None:
    settings.THROTTLE_SIGNIN = "1/min"
    body = {"username": "nobody", "password": "x"}
    for number, status in ((1, 401), (2, 429)):
        response = Program().post("/api/auth/token", body, headers={"x-forwarded-for": f"10.0.0.{number}"})
        assert response.status_code == status


def test_addresses_answer_with_and_without_a_slash(api: Program, course: Course) -> None:
    for path in ("/api/courses", f"/api/courses/{course.pk}", f"/api/courses/{course.pk}/lectures", "/api/schema"):
        assert api.get(path).status_code == api.get(f"{path}/").status_code == 200


def test_only_configured_origins_may_read_answers(settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.org"]
    client = Client(headers={"accept": "application/json"})
    ours = client.get("/api/courses", headers={"origin": "https://app.example.org"})
    assert ours["access-control-allow-origin"] == "https://app.example.org"
    exposed = ours["access-control-expose-headers"].split(", ")
    assert exposed == ["X-Session-Id", "X-Has-More", "Link", "ETag", "Retry-After"]
    theirs = client.get("/api/courses", headers={"origin": "https://evil.example.org"})
    assert "access-control-allow-origin" not in theirs
    page = client.get("/accounts/login/", headers={"origin": "https://app.example.org"})
    assert "access-control-allow-origin" not in page
    wanted = {"origin": "https://app.example.org", "access-control-request-method": "PATCH"}
    asked = client.options("/api/courses", headers={**wanted, "access-control-request-headers": "if-match"})
    assert "if-match" in asked["access-control-allow-headers"]
    assert "PATCH" in asked["access-control-allow-methods"]

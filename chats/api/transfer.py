"""Conversations as files, out and in."""

import io
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import parsers, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chats.api import shapes
from chats.representation import session_data
from chats.services import exports, imports, sessions
from core.api.errors import TooLarge
from core.api.fields import Query
from core.api.parsers import MultiPartParser, whole_body
from core.api.schema import operation
from core.api.views import ApiViewSet


class ExportQuery(Query):
    format = serializers.ChoiceField(choices=["json", "markdown"], default="json")


class ImportQuery(Query):
    format = serializers.ChoiceField(choices=imports.FORMATS, default="auto", help_text="What wrote the file.")


class ImportedData(serializers.Serializer[Any]):
    sessions = shapes.SessionData(many=True)


class ImportBody(Query):
    file = serializers.FileField()
    format = serializers.ChoiceField(choices=imports.FORMATS, required=False)


class FileAsBody(parsers.BaseParser):
    """The body is the file; what it says is read as a stream later."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return {"file": io.BytesIO(whole_body(stream, parser_context))}


class LinesAsBody(FileAsBody):
    media_type = "application/x-ndjson"


class ExportView(ApiViewSet):
    """One conversation as a file."""

    tag = "transfer"

    @operation(
        "Export a session",
        name="export",
        description="`json`: everything, to be imported again without loss. `markdown`: the shown branch, to read.",
        parameters=[ExportQuery],
        answer=OpenApiTypes.OBJECT,
        answers={"format": exports.FORMAT, "session_id": shapes.ID, "messages": []},
        also={(200, "text/markdown"): OpenApiTypes.STR},
    )
    def retrieve(self, request: Request, session_id: str) -> Response | HttpResponse:
        kind = self.query(ExportQuery)["format"]
        session = sessions.find(user=request.user, session_id=session_id)
        name = f"studybuddy-{session.pk}.{'md' if kind == 'markdown' else 'json'}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        if kind == "markdown":
            return HttpResponse(exports.markdown(session), content_type="text/markdown; charset=utf-8", headers=headers)
        return Response(exports.document(session), headers=headers)


class ImportView(ApiViewSet):
    """Conversations from a file: our own, ChatGPT's conversations.json, or Open WebUI's export."""

    tag = "transfer"
    bodies = {"create": ImportBody}
    parser_classes = [FileAsBody, LinesAsBody, MultiPartParser]
    throttle_kinds = {"create": "upload"}

    @operation(
        "Import sessions",
        name="import_sessions",
        description=(
            "The body is the file (JSON or JSON Lines), or a form with `file`. All conversations in it are stored, or "
            "none. Branches are kept; courses and sources are linked where you may see them."
        ),
        parameters=[ImportQuery],
        body={"application/json": OpenApiTypes.ANY, "multipart/form-data": ImportBody},
        sends={"format": exports.FORMAT, "title": "Why the loss diverges", "messages": []},
        answer=ImportedData,
        answers={"sessions": [shapes.SESSION]},
        status=201,
    )
    def create(self, request: Request) -> Response:
        sent: Any = request.data
        file = sent.get("file")
        if not isinstance(file, io.BytesIO):
            given = self.body()
            file = given["file"]
            if file.size > settings.UPLOAD_MAX_MB * 1_000_000:
                raise TooLarge(f"The file is larger than {settings.UPLOAD_MAX_MB} MB.")
        kind = self.query(ImportQuery)["format"]
        if kind == "auto" and sent.get("format"):
            kind = str(sent["format"])
        made = imports.run(user=request.user, file=file, kind=kind)
        found = sessions.listed(sessions.visible(user=request.user, state="all")).in_bulk([one.pk for one in made])
        shown = [session_data(found[one.pk]) for one in made if one.pk in found]
        return Response({"sessions": shown}, status=201)

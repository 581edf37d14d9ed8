"""How static files are stored for production."""

import re
from collections.abc import Callable
from typing import Any

from servestatic.storage import CompressedManifestStaticFilesStorage

OWN = ("chats/", "courses/", "studybuddy/")


class StaticStorage(CompressedManifestStaticFilesStorage):
    """Names with hashes inside our ES modules' imports too: else a page could mix the modules of two versions."""

    support_js_module_import_aggregation = True

    def url_converter(self, name: str, *arguments: Any, **options: Any) -> Callable[["re.Match[str]"], str]:
        """What rewrites the references in a file. Packages' scripts stay as they are: some import what isn't there."""
        if name.endswith(".js") and not name.startswith(OWN):
            return lambda reference: reference[0]
        converter: Callable[[re.Match[str]], str] = super().url_converter(name, *arguments, **options)
        return converter

"""The browsable API, for people."""

import re
from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import BrowsableAPIRenderer

# DRF's pages place a few things by style attributes and colour code by a style element, which the site's policy
# forbids. Text in a page is escaped, so that nothing but markup looks like one.
STYLE = re.compile(r' style="[^"<>]*"|<style>[^<]*</style>')


class BrowsableRenderer(BrowsableAPIRenderer):
    """DRF's own pages under the site's content security policy and name."""

    template = "rest_framework/studybuddy.html"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> str:
        return STYLE.sub("", super().render(data, accepted_media_type, renderer_context))

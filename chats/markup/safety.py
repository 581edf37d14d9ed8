"""The last word on what HTML may leave this package: a tight allow-list, applied by nh3.

The writer escapes everything by itself; this pass is there for the day it doesn't. It forbids `style`, `id`
and `on*` attributes, images, forms, frames and scripts, every URL scheme but three, and every class that isn't ours.
"""

import nh3

LINK_REL = "noopener noreferrer nofollow ugc"
URL_SCHEMES = frozenset({"http", "https", "mailto"})

MATH_ATTRIBUTES = frozenset(
    {
        "accent",
        "accentunder",
        "align",
        "columnalign",
        "columnlines",
        "columnspacing",
        "depth",
        "displaystyle",
        "fence",
        "form",
        "height",
        "largeop",
        "linebreak",
        "linethickness",
        "lspace",
        "mathsize",
        "mathvariant",
        "maxsize",
        "minsize",
        "movablelimits",
        "notation",
        "rowlines",
        "rowspacing",
        "rspace",
        "scriptlevel",
        "separator",
        "stretchy",
        "symmetric",
        "voffset",
        "width",
    },
)
MATH_TAGS = frozenset(
    {
        "math",
        "menclose",
        "merror",
        "mfrac",
        "mi",
        "mmultiscripts",
        "mn",
        "mo",
        "mover",
        "mpadded",
        "mphantom",
        "mprescripts",
        "mroot",
        "mrow",
        "mspace",
        "msqrt",
        "mstyle",
        "msub",
        "msubsup",
        "msup",
        "mtable",
        "mtd",
        "mtext",
        "mtr",
        "munder",
        "munderover",
        "none",
    },
)
_PLAIN_TAGS = (
    *("br", "hr", "li", "em", "strong", "del", "code", "pre", "figcaption", "span", "input"),
    *("table", "thead", "tbody", "tr", "th", "td"),
)
_TEXT_TAGS = {
    "blockquote": {"dir"},
    "p": {"dir"},
    "h3": {"dir"},
    "h4": {"dir"},
    "h5": {"dir"},
    "h6": {"dir"},
    "ul": {"dir"},
    "ol": {"dir", "start"},
    "a": {"href", "aria-label", "data-marker"},
    "figure": {"data-language"},
    "div": {"dir", "aria-label"},
}
CLASSES = {
    "a": {"citation"},
    "code": {"math-source"},
    "div": {"table"},
    "figure": {"code"},
    "li": {"task"},
    "p": {"plain"},
    "span": {
        *("math-display",),
        *("c", "g", "gd", "gi", "k", "kt", "m", "na", "nb", "nc", "nd", "nf", "nt", "nv", "s", "se"),
    },
    "td": {"align-center", "align-right"},
    "th": {"align-center", "align-right"},
}


def is_site_path(url: str) -> bool:
    """Whether the URL is a path on this site: one slash first, so that no browser reads a host into it."""
    return url.startswith("/") and not url.startswith(("//", "/\\"))


_cleaner = nh3.Cleaner(
    tags={*_TEXT_TAGS, *_PLAIN_TAGS, *MATH_TAGS},
    clean_content_tags={"script", "style"},
    attributes={
        **{tag: set(names) for tag, names in _TEXT_TAGS.items()},
        **{tag: set(MATH_ATTRIBUTES) for tag in MATH_TAGS if tag != "math"},
    },
    tag_attribute_values={
        "a": {"rel": {LINK_REL}, "target": {"_blank"}},
        "div": {"role": {"region"}, "tabindex": {"0"}},
        "pre": {"tabindex": {"0"}},  # what scrolls can be scrolled by keys
        "input": {"type": {"checkbox"}, "checked": {""}},
        "math": {"display": {"block", "inline"}},
    },
    set_tag_attribute_values={"input": {"disabled": ""}},
    allowed_classes=CLASSES,
    url_schemes=set(URL_SCHEMES),
    url_relative=lambda url: url if is_site_path(url) else None,
    link_rel=None,
)


def sanitise(html: str) -> str:
    """The HTML with everything outside the allow-list removed and its elements closed."""
    return _cleaner.clean(html)

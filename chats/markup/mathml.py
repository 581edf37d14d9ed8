"""LaTeX to MathML, safe and bounded: whatever can't be converted is shown as its source."""

import re
import unicodedata
from functools import lru_cache
from html import escape, unescape
from xml.etree.ElementTree import Element

from latex2mathml.converter import Converter

from chats.markup.formulas import Formula
from chats.markup.limits import FORMULA_CHARS, Allowance
from chats.markup.safety import MATH_ATTRIBUTES, MATH_TAGS, sanitise

# Definitions could grow without bound, and the others write attributes that aren't a formula's business.
_REFUSED = re.compile(
    r"\\(?:(?:re)?new|provide|Declare|(?:[gex]?def|let|require|input|include|href|style|class|url)(?![a-zA-Z]))",
)
# What only means something in a whole paper.
_IGNORED = re.compile(r"\\(?:label[ ]?\{[^{}]*\}|nonumber(?![a-zA-Z])|notag(?![a-zA-Z]))")
_SYNONYMS = {
    "arg": r"\operatorname{arg}",
    "iff": r"\Leftrightarrow",
    "implies": r"\Rightarrow",
    "mathop": "",
    "mathscr": r"\mathcal",
}
_SYNONYM = re.compile(rf"\\({'|'.join(_SYNONYMS)})(?![a-zA-Z])")
# Operators that take what stands below them in a displayed formula.
_BELOW = re.compile(r"(\\(?:lim|max|min|sup|inf|argmin|argmax)|\\operatorname\{arg ?(?:min|max)\})(?=[ ]?_)")
_OPERATOR = re.compile(r"\\operatorname\*?[ ]?\{([a-zA-Z ]+(?:\\[,; ][a-zA-Z ]+)*)\}")
# Environments that the converter doesn't know by the ones it does.
_ENVIRONMENTS = {
    "align": "align*",
    "aligned": "align*",
    "alignedat": "align*",
    "alignat": "align*",
    "alignat*": "align*",
    "eqnarray": "align*",
    "eqnarray*": "align*",
    "flalign": "align*",
    "flalign*": "align*",
    "equation": "",
    "equation*": "",
    "displaymath": "",
    "math": "",
    "multline": "matrix",
    "multline*": "matrix",
    "gathered": "matrix",
    "dcases": "cases",
    "gather": "matrix",
    "gather*": "matrix",
}
_ENVIRONMENT = re.compile(r"\\(begin|end)[ ]?\{([a-zA-Z]+\*?)\}(?:(?<=at\})\{[0-9]+\}|(?<=at\*\})\{[0-9]+\})?")
_VARIANTS = {
    "bold": "BOLD",
    "bold-italic": "BOLD ITALIC",
    "double-struck": "DOUBLE-STRUCK",
    "fraktur": "FRAKTUR",
    "italic": "ITALIC",
    "monospace": "MONOSPACE",
    "sans-serif": "SANS-SERIF",
    "script": "SCRIPT",
}
# What the converter takes for letters, which would stand without space around them.
_OPERATORS = {
    "~": ("mo", "\u223c"),
    **{
        sign: ("mo", sign)
        for sign in (":", "\u27f9", "\u27fa", "\u27f8", "\u27f6", "\u27c2", "\u230a", "\u230b", "\u2308", "\u2309")
    },
}
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_DEPTH = 40
_SHORT_CHARS = 150
_OUTPUT_CHARS = 60_000


class _Unconvertible(Exception):
    """The formula is shown as source."""


def to_html(formula: Formula, allowance: Allowance) -> str:
    """Safe HTML of the formula: `<math>`, or its source as `<code class="math-source">`."""
    size = len(formula.latex)
    if size > FORMULA_CHARS or not allowance.take_formula(size):
        return source_html(formula.written)
    converted = (_convert_short if size <= _SHORT_CHARS else _convert_long)(formula.latex, formula.display)
    return converted or source_html(formula.written)


def source_html(written: str) -> str:
    """A formula as it was written."""
    return sanitise(f'<code class="math-source">{escape(written, quote=False)}</code>')


def _convert(latex: str, display: bool) -> str | None:
    try:
        _check(latex)
        converter = Converter(display="block" if display else "inline")
        pieces: list[str] = []
        _serialise(converter.convert_to_element(_known_words(latex, display)), pieces, 0)
        html = "".join(pieces)
    except Exception:  # noqa: BLE001  the converter raises whatever its walk stumbles over, RecursionError too
        return None
    if len(html) > _OUTPUT_CHARS:
        return None
    if display:
        return sanitise(f'<span class="math-display">{html}</span>')
    return sanitise(html)


# Short formulas come again and again; long ones are few, and kept so that a growing reply converts each once.
# Together at most some 30 MB, if every formula were made to fill them.
_convert_short = lru_cache(maxsize=1024)(_convert)
_convert_long = lru_cache(maxsize=64)(_convert)


def _check(latex: str) -> None:
    if _REFUSED.search(latex) or "&#" in latex:
        raise _Unconvertible
    deepest = depth = 0
    for brace in _BRACE.finditer(latex):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        deepest = max(deepest, depth)
    if max(deepest, latex.count("\\begin"), latex.count("\\left")) > _DEPTH:
        raise _Unconvertible


def _known_words(latex: str, display: bool) -> str:
    """The formula in the words that the converter knows."""
    latex = _IGNORED.sub("", latex)
    if "\\operatorname" in latex:
        latex = _OPERATOR.sub(lambda found: rf"\operatorname{{{re.sub(r'[^a-zA-Z]+', ' ', found[1])}}}", latex)
    latex = _SYNONYM.sub(lambda found: _SYNONYMS[found[1]], latex)
    if display:
        latex = _BELOW.sub(r"\1\\limits", latex)
    return _ENVIRONMENT.sub(_known_environment, latex) if "\\begin" in latex else latex


def _known_environment(found: re.Match[str]) -> str:
    name = _ENVIRONMENTS.get(found[2])
    if name is None:
        return found[0]
    return f"\\{found[1]}{{{name}}}" if name else ""


def _serialise(element: Element, pieces: list[str], depth: int) -> None:
    """Writes the element; the converter's own serialiser leaves text unescaped.

    Text holds character references that the converter wrote, and none that the author did.
    """
    text = unescape(element.text or "")
    # A command that the converter doesn't know it leaves as it is.
    if depth > 4 * _DEPTH or element.tag not in MATH_TAGS or (element.tag == "mi" and text[:1] == "\\" != text):
        raise _Unconvertible
    tag, text = _OPERATORS.get(text, (element.tag, text)) if element.tag == "mi" else (element.tag, text)
    attributes = dict(element.attrib)
    if variant := _VARIANTS.get(attributes.get("mathvariant", "")):
        del attributes["mathvariant"]
        text = "".join(_styled(character, variant) for character in text)
    written = "".join(
        f' {name}="{escape(value)}"'
        for name, value in attributes.items()
        if name in MATH_ATTRIBUTES or name == "display"
    )
    pieces += (f"<{tag}{written}>", escape(text, quote=False))
    for child in element:
        _serialise(child, pieces, depth + 1)
        pieces.append(escape(unescape(child.tail or ""), quote=False))
    pieces.append(f"</{tag}>")


@lru_cache(maxsize=1024)
def _styled(character: str, variant: str) -> str:
    """The mathematical letter of that style: browsers know no `mathvariant` but "normal"."""
    name = unicodedata.name(character, "").replace("LATIN ", "").replace("GREEK ", "").replace("LETTER ", "")
    try:
        return unicodedata.lookup(f"MATHEMATICAL {variant} {name}")
    except KeyError:
        return character

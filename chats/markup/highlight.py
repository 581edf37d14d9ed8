"""Code blocks: a figure with the language's name and coloured tokens.

Only well-known languages are coloured, with a dozen classes of our own; `chats.markup.style_sheet` writes their
style sheet.
"""

import re
from collections.abc import Iterator
from functools import cache
from html import escape

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Token
from pygments.token import _TokenType as TokenType

from chats.markup.limits import HIGHLIGHT_CHARS, HIGHLIGHT_LINE_CHARS, HIGHLIGHT_WINDOW_CHARS, Allowance

# Display name by what a fence may say; the first name of each is what Pygments knows it by.
_LANGUAGES: dict[str, tuple[str, ...]] = {
    "Assembly": ("nasm", "asm", "assembly"),
    "C": ("c", "h"),
    "C++": ("cpp", "c++", "cc", "hpp", "cxx"),
    "C#": ("csharp", "cs", "c#"),
    "CSS": ("css",),
    "Dart": ("dart",),
    "Diff": ("diff", "patch"),
    "Dockerfile": ("docker", "dockerfile"),
    "Fortran": ("fortran", "f90"),
    "Go": ("go", "golang"),
    "Haskell": ("haskell", "hs"),
    "HTML": ("html", "htm"),
    "INI": ("ini", "cfg"),
    "Java": ("java",),
    "JavaScript": ("javascript", "js", "jsx", "mjs", "node"),
    "JSON": ("json", "jsonc"),
    "Julia": ("julia", "jl"),
    "Kotlin": ("kotlin", "kt"),
    "LaTeX": ("latex", "tex"),
    "Lua": ("lua",),
    "Makefile": ("make", "makefile", "mk"),
    "MATLAB": ("matlab", "octave"),
    "OCaml": ("ocaml", "ml"),
    "PHP": ("php",),
    "Prolog": ("prolog",),
    "Python": ("python", "py", "python3", "py3", "ipython"),
    "Python session": ("pycon", "python-repl"),
    "R": ("r", "rlang", "rscript"),
    "Rust": ("rust", "rs"),
    "Scala": ("scala",),
    "Scheme": ("scheme", "lisp", "racket"),
    "Shell": ("bash", "sh", "shell", "zsh"),
    "Shell session": ("console", "shell-session", "terminal"),
    "SQL": ("sql", "sqlite", "postgresql", "mysql", "psql"),
    "Swift": ("swift",),
    "TOML": ("toml",),
    "TypeScript": ("typescript", "ts", "tsx"),
    "XML": ("xml", "svg"),
    "YAML": ("yaml", "yml"),
}
_NAMES = {alias: name for name, aliases in _LANGUAGES.items() for alias in aliases}

# Class by token type; the nearest ancestor in the list decides, the empty class means plain.
_CLASSES: dict[TokenType, str] = {
    Token: "",
    Token.Comment: "c",
    Token.Comment.Preproc: "k",
    Token.Generic.Deleted: "gd",
    Token.Generic.Heading: "g",
    Token.Generic.Inserted: "gi",
    Token.Generic.Output: "g",
    Token.Generic.Prompt: "g",
    Token.Generic.Subheading: "g",
    Token.Keyword: "k",
    Token.Keyword.Constant: "m",
    Token.Keyword.Type: "kt",
    Token.Literal.Number: "m",
    Token.Literal.String: "s",
    Token.Literal.String.Escape: "se",
    Token.Literal.String.Interpol: "se",
    Token.Name.Attribute: "na",
    Token.Name.Builtin: "nb",
    Token.Name.Class: "nc",
    Token.Name.Decorator: "nd",
    Token.Name.Function: "nf",
    Token.Name.Tag: "nt",
    Token.Name.Variable: "nv",
    Token.Operator.Word: "k",
}
_GAP = re.compile(r"\n[ \t]*\n(?=\S)")
# Nothing that people write as code, and what makes lexers slow: a hundred words in a row without punctuation
# between them, or a dozen empty lines.
_SLOW = re.compile(r"(?<![\w$.\[\]])(?:[\w$.\[\]]++\s++){100}|(?:\n[ \t]*+){12}")
_LANGUAGE_WORD = re.compile(r"[\w+#.-]{1,30}")


def figure(code: str, info: str, allowance: Allowance | None) -> str:
    """HTML of a code block. `info` is what followed the fence; without an allowance it stays uncoloured."""
    word = _language_word(info)
    name = _NAMES.get(word)
    colour = name is not None and allowance is not None and _may_colour(code, allowance)
    body = _coloured(code, _LANGUAGES[name][0]) if name and colour else escape(code, quote=False)
    label = escape(name or word or "Text")
    return (
        f'<figure class="code" data-language="{escape(_LANGUAGES[name][0] if name else word or "text")}">'
        f'<figcaption>{label}</figcaption><pre tabindex="0"><code>{body}</code></pre></figure>'
    )


def _language_word(info: str) -> str:
    """The language of a fence: its first word, as in `python title="x"`, `python,ignore` or `{.python}`."""
    found = _LANGUAGE_WORD.search(info.lower())
    return found[0].strip(".") if found else ""


def _may_colour(code: str, allowance: Allowance) -> bool:
    if len(code) > HIGHLIGHT_CHARS:
        return False
    # Lexers are regular expressions, and the slow ones are slow on long lines.
    if len(code) > HIGHLIGHT_LINE_CHARS and max(map(len, code.split("\n"))) > HIGHLIGHT_LINE_CHARS:
        return False
    if _SLOW.search(code):
        return False
    return allowance.take_highlight(len(code))


@cache
def _lexer(name: str) -> Lexer:
    lexer: Lexer = get_lexer_by_name(name, stripnl=False, ensurenl=False)
    return lexer


@cache
def _class_of(token: TokenType) -> str:
    found = _CLASSES.get(token)
    if found is None:
        found = _class_of(token.parent) if token.parent is not None else ""
    return found


def _windows(code: str) -> Iterator[str]:
    """The code in parts that a lexer gets through quickly, cut between definitions where there is such a place.

    Some lexers need time that grows with the square or cube of the length, on code written to make them.
    """
    start = 0
    while len(code) - start > HIGHLIGHT_WINDOW_CHARS:
        end = start + HIGHLIGHT_WINDOW_CHARS
        gaps = [found.end() for found in _GAP.finditer(code, start + 1, end)]
        cut = gaps[-1] if gaps else code.rfind("\n", start, end) + 1
        cut = cut if cut > start else end
        yield code[start:cut]
        start = cut
    yield code[start:]


def _tokens(code: str, language: str) -> Iterator[tuple[TokenType, str]]:
    for window in _windows(code):
        yield from _lexer(language).get_tokens(window)


def _runs(code: str, language: str) -> Iterator[tuple[str, str]]:
    """Pieces of the code with their class, neighbours of the same class joined."""
    current, pieces = "", list[str]()
    for token, value in _tokens(code, language):
        class_ = _class_of(token)
        # White space needs no colour, and joins what stands around it.
        if class_ != current and not value.isspace():
            if pieces:
                yield current, "".join(pieces)
            current, pieces = class_, []
        pieces.append(value)
    if pieces:
        yield current, "".join(pieces)


def _coloured(code: str, language: str) -> str:
    return "".join(
        f'<span class="{class_}">{escape(text, quote=False)}</span>' if class_ else escape(text, quote=False)
        for class_, text in _runs(code, language)
    )

"""The style sheet of what the renderer writes: colours of code, and layout of formulas that browsers leave out.

`python -m chats.markup.style_sheet > static/chats/highlight.css` writes it anew after a change here.
"""

import sys

# What a class of token means, and its colour on light and on dark ground: each at least 4.5 : 1 on the block's own.
_PALETTE: dict[str, tuple[str, str]] = {
    "c": ("#5f6b7a", "#8b98a9"),  # comment
    "k": ("#a8216b", "#ff8ab8"),  # keyword
    "kt": ("#0b6e75", "#6fd3d9"),  # type
    "m": ("#9a4a00", "#f0b06a"),  # number
    "s": ("#1c6b2f", "#8fd694"),  # string
    "se": ("#0b6e75", "#6fd3d9"),  # escape
    "na": ("#7a4a00", "#e3c27a"),  # attribute
    "nb": ("#0b5cad", "#7cb8ff"),  # builtin
    "nc": ("#6b3fa0", "#cbaaff"),  # class
    "nd": ("#6b3fa0", "#cbaaff"),  # decorator
    "nf": ("#0b5cad", "#7cb8ff"),  # function
    "nt": ("#a8216b", "#ff8ab8"),  # tag
    "nv": ("#7a4a00", "#e3c27a"),  # variable
    "g": ("#5f6b7a", "#8b98a9"),  # output
    "gd": ("#b3261e", "#ff8f86"),  # deleted
    "gi": ("#1c6b2f", "#8fd694"),  # inserted
}
_GROUND = ("#f6f4ee", "#121517")
_TEXT = ("#1f2630", "#dfe5ec")

# Browsers that draw MathML Core alone leave these attributes to style sheets.
_FORMULAS = """\
math { font-family: "STIX Two Math", "Latin Modern Math", "Cambria Math", "Libertinus Math", math }
.math-display { display: block; max-width: 100%; overflow-x: auto; overflow-y: hidden; padding-block: .25em }
.math-source { overflow-wrap: anywhere }
math mtd[columnalign="left"] { text-align: left }
math mtd[columnalign="right"] { text-align: right }
math mtable[columnspacing^="0em"] mtd { padding-inline: 0 }
math mtable[columnspacing^="0em"] mtd:nth-child(odd):not(:first-child) { padding-inline-start: 2em }
math mtable[displaystyle] mtd { padding-block: .25em }
math mtable[rowlines] mtr:not(:first-child) mtd { border-block-start: 1px solid }
math mtable[columnlines] mtd:not(:first-child) { border-inline-start: 1px solid }
math menclose[notation="box"] { border: 1px solid; padding: .2em }
math menclose[notation~="updiagonalstrike"] { text-decoration: line-through }
"""
_REST = """\
.align-center { text-align: center }
.align-right { text-align: right }
p.plain { white-space: pre-wrap; overflow-wrap: anywhere }
"""


def style_sheet() -> str:
    """The style sheet. Each colour is given for both themes; the page's `color-scheme` chooses."""
    rules = [f".code .{class_} {{ color: light-dark({light}, {dark}) }}" for class_, (light, dark) in _PALETTE.items()]
    ground, text = (f"light-dark({light}, {dark})" for light, dark in (_GROUND, _TEXT))
    return "\n".join(
        [
            "/* Written by `python -m chats.markup.style_sheet`. */",
            f".code pre {{ background: {ground}; color: {text} }}",
            *rules,
            _FORMULAS + _REST,
        ],
    )


if __name__ == "__main__":
    sys.stdout.write(style_sheet())

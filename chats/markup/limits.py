"""How much of a text the renderer works on; past these it shows plain text.

Nothing that a student pastes or a model writes may cost unbounded time, so each costly step has a ceiling
of its own. All lengths are code points.
"""

from dataclasses import dataclass

# Read as Markdown; what follows is shown as it was written. About 25,000 tokens.
MARKDOWN_CHARS = 100_000
# One paragraph of the text that is too long for Markdown.
PLAIN_BLOCK_CHARS = 8_000
# Elements inside one another, quotes, lists and emphasis together; what is deeper joins its parent.
NESTING = 16
# One formula; longer ones are shown as source.
FORMULA_CHARS = 2_000
# Formulas of one text. Converting one takes some 100 µs, and time grows with their length.
FORMULAS = 1_500
FORMULAS_CHARS = 50_000
# One code block with colours, and all of a text together. Pygments reads about 1 µs a character.
HIGHLIGHT_CHARS = 20_000
HIGHLIGHT_TOTAL_CHARS = 40_000
HIGHLIGHT_LINE_CHARS = 500
# What a lexer is given at a time.
HIGHLIGHT_WINDOW_CHARS = 2_000
# Link definitions (`[label]: url`) that hold across a whole text.
DEFINITIONS = 200


@dataclass(slots=True)
class Allowance:
    """What one text may still spend on formulas and colours, counted down in the order of the text."""

    formulas: int = FORMULAS
    formula_chars: int = FORMULAS_CHARS
    highlight_chars: int = HIGHLIGHT_TOTAL_CHARS

    def copy(self) -> "Allowance":
        """An independent allowance with the same amounts."""
        return Allowance(self.formulas, self.formula_chars, self.highlight_chars)

    def take_formula(self, length: int) -> bool:
        """Whether a formula of that length may be converted; if so it is paid for."""
        if self.formulas <= 0 or length > self.formula_chars:
            return False
        self.formulas -= 1
        self.formula_chars -= length
        return True

    def take_highlight(self, length: int) -> bool:
        """Whether code of that length may be coloured; if so it is paid for."""
        if length > self.highlight_chars:
            return False
        self.highlight_chars -= length
        return True

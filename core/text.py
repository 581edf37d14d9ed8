"""What a text column can hold."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def storable(text: str) -> str:
    """`text` with NUL and lone surrogates replaced one for one: PostgreSQL's text can't hold them, nor can UTF-8.

    The length in code points stays the same, so offsets into the text remain true.
    """
    if text.isascii():
        return text.replace("\0", REPLACEMENT) if "\0" in text else text
    return (
        "".join(REPLACEMENT if _unstorable(character) else character for character in text)
        if ("\0" in text or _has_surrogate(text))
        else text
    )


def is_storable(text: str) -> bool:
    return "\0" not in text and (text.isascii() or not _has_surrogate(text))


def _unstorable(character: str) -> bool:
    return character == "\0" or "\ud800" <= character <= "\udfff"


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False

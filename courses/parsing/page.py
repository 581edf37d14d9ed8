"""The child process that draws a page: `python -m courses.parsing.page FILE NUMBER WIDTH` writes a WebP to its output.

Exit code 3 says that the page can't be drawn.
"""

import io
import sys

from courses.parsing.__main__ import limit

MOST_PIXELS = 6_000_000
QUALITY = 75
CPU_SECONDS = 20
CANNOT_DRAW = 3


def draw(path: str, number: int, width: int) -> bytes:
    """Page `number`, counted from 1, as a WebP image `width` pixels wide (fewer if the page is very long)."""
    import pypdfium2

    with pypdfium2.PdfDocument(path) as document:
        page = document[number - 1]
        wide, high = page.get_size()
        scale = min(width / max(wide, 1), (MOST_PIXELS / max(wide * high, 1)) ** 0.5)
        image = page.render(scale=scale, may_draw_forms=False).to_pil().convert("RGB")
    target = io.BytesIO()
    image.save(target, "WEBP", quality=QUALITY, method=4)
    return target.getvalue()


def main() -> None:
    limit(cpu=CPU_SECONDS)
    try:
        image = draw(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    except Exception:  # noqa: BLE001 - whatever is wrong with the page, it has no picture
        sys.exit(CANNOT_DRAW)
    sys.stdout.buffer.write(image)


if __name__ == "__main__":
    main()

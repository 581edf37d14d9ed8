"""The child process: `python -m courses.parsing FILE KIND NAME` writes one JSON object a line to standard output.

`{"page": n, "pages": m}` as it goes along, then `{"blocks": […]}` in batches and `{"done": {…}}`, or `{"error": "…"}`.
"""

import json
import resource
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from courses.parsing.blocks import Parsed, ParseError, Progress

MEMORY_BYTES = 1_200_000_000  # of addresses; what is in use stays far below
CPU_SECONDS = 180
OPEN_FILES = 64
BATCH = 200


def limit(memory: int = MEMORY_BYTES, cpu: int = CPU_SECONDS) -> None:
    """Bind this process: memory, time, files; it writes none, and leaves no core behind."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 5))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def parse(path: Path, kind: str, name: str, progress: Progress) -> Parsed:
    """What is in the file. Raises ParseError with a message for people."""
    parsers = {
        "pdf": ("pdf", "parse_pdf"),
        "slides": ("slides", "parse_slides"),
        "word": ("word", "parse_word"),
        "markdown": ("markdown", "parse_markdown"),
        "html": ("markup", "parse_html"),
        "text": ("text", "parse_text"),
        "code": ("text", "parse_code"),
        "transcript": ("transcript", "parse_transcript"),
        "notebook": ("notebook", "parse_notebook"),
    }
    from importlib import import_module

    module, function = parsers[kind]
    parsed: Parsed = getattr(import_module(f"courses.parsing.{module}"), function)(path, name, progress)
    if not any(block.kind != "heading" and block.text.strip() for block in parsed.blocks):
        raise ParseError("There is no text in this file.")
    return parsed


def write(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    path, kind, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    limit()
    try:
        parsed = parse(path, kind, name, lambda page, pages: write({"page": page, "pages": pages}))
    except ParseError as error:
        write({"error": str(error)})
    except MemoryError:
        write({"error": "Reading this file takes more memory than is allowed."})
    except RecursionError:
        write({"error": "The file is nested too deeply to be read."})
    except Exception as error:  # noqa: BLE001 - a parser met something that it doesn't know; its class is for the log
        write({"error": "The file is damaged or not quite what its format asks for.", "cause": type(error).__name__})
    else:
        blocks = [asdict(block) for block in parsed.blocks]
        for begin in range(0, len(blocks), BATCH):
            write({"blocks": blocks[begin : begin + BATCH]})
        sizes = list(parsed.page_sizes)
        write({"done": {"page_count": parsed.page_count, "notes": list(parsed.notes), "page_sizes": sizes}})


if __name__ == "__main__":
    main()

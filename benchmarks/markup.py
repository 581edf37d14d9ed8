"""What rendering a reply costs while it streams, per feed of four tokens, and at once; and the worst of hostile texts.

Run `python benchmarks/markup.py`; it prints tables and writes `benchmarks/results/markup.json`. Times are CPU
times of this process, the least of several rounds where they are short.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from chats.markup import SourceLink, StreamRenderer, render  # noqa: E402

SOURCES = [SourceLink(number, f"/courses/ml/documents/{number}", f"Lecture {number}") for number in range(1, 6)]
TOKENS_PER_FEED = 4

PROSE = """
Gradient descent looks for the lowest point of a loss by walking **downhill**: at each step it computes the gradient,
the direction in which the loss grows fastest, and takes a small step the other way [1]. How small is decided by the
*learning rate*. If it is too large the steps overshoot the valley and the loss grows; if it is too small, training
takes for ever [2, 3].

Think of a hiker in fog. She can't see the valley, but she feels the slope under her feet, and walking down the
steepest slope brings her to a valley, though not always to the deepest one [1].

"""
LIST = """
- **Batch**: the gradient over all examples, exact and slow.
- **Stochastic**: over one example, noisy and fast.
- **Mini-batch**: over a few dozen examples, which is what `PyTorch` users do in practice [2].

"""
MATH = r"""
The update is $w_{t+1} = w_t - \eta \nabla L(w_t)$, where $\eta$ is the learning rate and $L$ the mean loss:

$$
L(w) = \frac{1}{n} \sum_{i=1}^{n} \left( y_i - x_i^\top w \right)^2
$$

"""
CODE = """
```python
def descend(w, x, y, rate=0.1, steps=100):
    for _ in range(steps):
        error = x @ w - y          # one per example
        w = w - rate * 2 * x.T @ error / len(y)
    return w
```

"""
TABLE = """
| method | cost per step | noise |
|---|--:|---|
| batch | $O(n)$ | none |
| stochastic | $O(1)$ | much |

"""
REPLIES = {"prose": PROSE, "a lecture's mix": PROSE + MATH + PROSE + LIST + CODE + PROSE + TABLE}
LENGTHS = (200, 1_000, 5_000)


def tokens(text: str) -> list[str]:
    """Roughly what a model's tokenizer makes of it: words with the space before them, in pieces of up to six."""
    return re.findall(r"\s?\w{1,6}|\s|[^\w\s]{1,2}", text)


def reply(kind: str, length: int) -> list[str]:
    """The first tokens of a reply of that kind."""
    pattern = tokens(REPLIES[kind])
    return (pattern * (length // len(pattern) + 1))[:length]


def feeds(kind: str, length: int) -> Iterator[str]:
    parts = reply(kind, length)
    for at in range(0, length, TOKENS_PER_FEED):
        yield "".join(parts[at : at + TOKENS_PER_FEED])


def cpu(work: Callable[[], object], rounds: int = 5) -> float:
    """Least CPU seconds of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def stream(kind: str, length: int) -> dict[str, float]:
    """Microseconds per feed over a whole reply, in its first and its last quarter; characters of HTML per feed."""
    deltas = list(feeds(kind, length))
    quarter = len(deltas) // 4

    def run(some: list[str], renderer: StreamRenderer) -> int:
        return sum(len(block) for delta in some for block in renderer.feed(delta).blocks)

    def whole() -> None:
        renderer = StreamRenderer(SOURCES)
        run(deltas, renderer)
        renderer.finish()

    def part(first: int) -> float:
        """Least seconds per feed of a quarter that begins at that feed."""
        best = float("inf")
        for _ in range(5):
            renderer = StreamRenderer(SOURCES)
            run(deltas[:first], renderer)
            started = time.process_time()
            run(deltas[first : first + quarter], renderer)
            best = min(best, time.process_time() - started)
        return best / quarter

    return {
        "feed_us": cpu(whole) / len(deltas) * 1e6,
        "first_quarter_us": part(0) * 1e6,
        "last_quarter_us": part(len(deltas) - quarter) * 1e6,
        "html_chars_per_feed": run(deltas, StreamRenderer(SOURCES)) / len(deltas),
    }


BOMBS = {
    "10,000 nested quotes": ">" * 10_000 + "a",
    "nested quotes, 1 MB": ">" * 1_000_000,
    "10,000 nested brackets": "[" * 10_000 + "a" + "]" * 10_000,
    "brackets, 1 MB": "[" * 1_000_000,
    "links in links, 1 MB": "[a](" * 250_000,
    "100,000 stars": "*" * 100_000,
    "emphasis, 1 MB": "*a _b **c " * 100_000,
    "one line, 1 MB": "a" * 1_000_000,
    "one formula, 1 MB": "$" + "x" * 1_000_000 + "$",
    "one million dollars": "$" * 1_000_000,
    "many formulas, 1 MB": "".join(f"$x_{{{number}}}+\\frac{{a}}{{b}}$\n\n" for number in range(40_000)),
    "deep formula": "$" + r"\frac{1}{" * 300 + "x" + "}" * 300 + "$",
    "deep list, 1 MB": "".join("  " * depth + "- a\n" for depth in range(1_000)),
    "list in one line, 1 MB": "- " * 500_000,
    "wide table, 1 MB": "|a" * 10_000 + "|\n" + "|-" * 10_000 + "|\n" + "|a\n" * 300_000,
    "long table, 1 MB": "|a|b|\n|-|-|\n" + "|a|b|\n" * 160_000,
    "code blocks, 1 MB": "```python\nx = 1\n```\n" * 50_000,
    "paragraphs, 1 MB": "a\n\n" * 330_000,
    "dollars and empty lines, 1 MB": "$$\n\n" * 250_000,
    "tags, 1 MB": "<a " * 330_000,
    "comments, 1 MB": "<!--\n\na\n\n" * 100_000,
    "backticks, 1 MB": "".join("`" * number + "a" for number in range(1_400)),
    "definitions, 1 MB": "".join(f"[a{number}]: b\n\n[a{number}]\n\n" for number in range(45_000)),
    "NUL, 1 MB": "\x00" * 1_000_000,
}


def main() -> None:
    results: dict[str, object] = {}
    print(
        f"{'streaming, 4 tokens a feed':32}{'tokens':>8}{'µs/feed':>10}{'first ¼':>10}{'last ¼':>10}{'HTML/feed':>12}"
    )
    for kind in REPLIES:
        for length in LENGTHS:
            measured = stream(kind, length)
            results[f"{kind}, {length} tokens"] = measured
            row = "".join(f"{measured[name]:10.1f}" for name in ("feed_us", "first_quarter_us", "last_quarter_us"))
            print(f"{kind:32}{length:8,}{row}{measured['html_chars_per_feed']:12.0f}")
    print(f"\n{'at once':32}{'tokens':>8}{'ms':>10}")
    for kind in REPLIES:
        text = "".join(reply(kind, 1_000))
        seconds = cpu(lambda text=text: render(text, sources=SOURCES))
        results[f"{kind}, at once"] = {"ms": seconds * 1e3}
        print(f"{kind:32}{1000:8,}{seconds * 1e3:10.2f}")
    print(f"\n{'hostile texts':32}{'chars':>10}{'ms':>10}")
    worst = 0.0
    for name, text in BOMBS.items():
        seconds = cpu(lambda text=text: render(text), rounds=1)
        worst = max(worst, seconds)
        results[name] = {"chars": len(text), "ms": seconds * 1e3}
        print(f"{name:32}{len(text):10,}{seconds * 1e3:10.1f}")
    print(f"{'worst':42}{worst * 1e3:10.1f}")
    target = ROOT / "benchmarks" / "results" / "markup.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()

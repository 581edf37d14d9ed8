"""Nothing that a student or a model writes reaches a page as anything but text and our own elements."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chats.markup import SourceLink, StreamRenderer, plain_text, render
from chats.markup.safety import sanitise
from chats.markup.source import clean
from tests.chats.markup.reading import assert_safe, elements, text_of

SOURCES = (SourceLink(1, "/courses/a", 'Lecture "1" <b onclick=x>'), SourceLink(2, "javascript:alert(1)", "Bad"))
HOSTILE = (
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "<iframe src=//evil>"),
    *(
        "<a href='javascript:alert(1)'>",
        "<form action=//evil><input name=q>",
        "<style>*{}</style>",
        "<base href=//evil>",
    ),
    *("<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>", "</p>"),
    *("![a](http://evil/x.png)", "![](data:image/png;base64,aa)", "[a](javascript:alert(1))", "[a](JaVaScRiPt:x)"),
    *("[a](java&#x0A;script:x)", "[a](\x01javascript:x)", "[a](//evil)", "[a](/\\evil)", "[a](data:text/html,x)"),
    *(
        "[a](vbscript:x)",
        "<javascript:alert(1)>",
        "[a]: javascript:x\n\n[a]",
        '[a](http://x" onclick="y)',
        "[a](mailto:x@y.z)",
    ),
    *("[a](https://x/ 'title\" onload=\"y')", 'https://x/"onclick=y', "https://x/<script>", "[1]", "[2]", "[1, 2]"),
    *("$\\text{<script>alert(1)</script>}$", "$\\href{javascript:alert(1)}{x}$", "$\\style{x}{y}$", "$\\class{x}{y}$"),
    *("$<img src=x onerror=y>$", "$\\text{&lt;img src=x onerror=y&gt;}$", "$\\url{x}$", '\\(\\color{"onload=x}{y}\\)'),
    *(
        "$\\mathbf{&lt;}$",
        "$\\unicode{60}$",
        "$&#60;img src=x onerror=y&#62;$",
        '$\\begin{array}{"onload=x}a\\end{array}$',
    ),
    *(
        '```"><script>\nx\n```',
        "```js\n</code></pre><script>\n```",
        "~~~html\n<script>\n~~~",
        "`<script>`",
        "``` <b>\n",
    ),
    *(
        "<!-- ",
        "--><script>",
        "<![CDATA[",
        "<?php ",
        "<!DOCTYPE x>",
        "&lt;script&gt;",
        "&#60;script&#62;",
        "\n\n",
        "\n",
    ),
    *(
        "| <b> | x |\n|-|-|\n| <script> | [a](javascript:x) |\n",
        "- [ ] <input autofocus onfocus=x>\n",
        "> ",
        "# ",
        "**",
    ),
    *(
        "\ufdd00\ufdd1",
        "&#xFDD0;0&#xFDD1;",
        "&#64976;7&#64977;",
        "&#xfdd0;99999999999&#xfdd1;",
        "\x00",
        "\ud800",
        "<br>",
    ),
    *("<br onload=x>", "<noscript><p title='</noscript><img src=x onerror=y>'>", "<plaintext>", "<textarea>", "<xmp>"),
)
TEXTS = st.one_of(
    st.lists(st.sampled_from(HOSTILE), max_size=12).map("".join),
    st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=8)), max_size=12).map(" ".join),
    st.text(),
)

PARTS = (
    *("<strong>", "</strong>", "<em>", "</em>", "<code>", "</code>", "<p>", '<p dir="auto">', "</p>", "<br>", "\n"),
    *("<strong onclick=x>", "<code style=x>", '<p onclick="x">', "<script>", "</script>", "<img src=x onerror=y>"),
    *("<", ">", "&", "&amp;", "&lt;", "&gt;", "&#60;b onclick=x&#62;", "<!--", "-->", "<em/>", "<table>", "</div>"),
)
PARAGRAPHS = st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=8)), max_size=12).map("".join)


@given(PARAGRAPHS)
def test_the_last_word_lets_nothing_out_of_a_paragraph_whatever_is_written_into_it(html: str) -> None:
    block = sanitise(clean(f'<p dir="auto">{html}</p>'))
    assert_safe([block])
    after = elements([block, "<hr>"])[-1]
    assert (after.name, after.parent.name) == ("hr", "body"), block
    assert sanitise(block) == block


@given(text=TEXTS)
@settings(max_examples=500, deadline=None)
def test_any_text_is_safe_and_none_raises(text: str) -> None:
    assert_safe(render(text, sources=SOURCES), paths=("/courses/a",))


@given(text=TEXTS, step=st.integers(1, 9))
@settings(max_examples=200, deadline=None)
def test_every_state_on_the_way_is_safe(text: str, step: int) -> None:
    renderer = StreamRenderer(SOURCES)
    for at in range(0, len(text), step):
        assert_safe(renderer.feed(text[at : at + step]).blocks, paths=("/courses/a",))
    assert_safe(renderer.finish().blocks, paths=("/courses/a",))


@given(text=st.text(st.characters(), max_size=300), limit=st.integers(0, 80))
@settings(max_examples=200, deadline=None)
def test_plain_text_is_short_and_has_no_controls(text: str, limit: int) -> None:
    plain = plain_text(text, limit)
    assert len(plain) <= limit
    assert "\n" not in plain
    plain.encode()


@pytest.mark.parametrize("text", HOSTILE)
def test_each_attack_alone(text: str) -> None:
    assert_safe(render(text, sources=SOURCES), paths=("/courses/a",))


def test_raw_html_is_shown_as_it_was_written() -> None:
    blocks = render("A <b onclick=x>bold</b> word.\n\n<script>\nalert(1)\n</script>\n")
    assert "<b onclick=x>bold</b>" in text_of(blocks)
    assert "<script>\nalert(1)\n</script>" in text_of(blocks)
    assert {tag.name for tag in elements(blocks)} == {"p"}


def test_a_picture_is_a_link_with_its_description() -> None:
    (link,) = elements(render("![A *cat*](https://elsewhere.example/cat.png)"))[1:2]
    assert (link.name, link["href"], link.get_text()) == ("a", "https://elsewhere.example/cat.png", "A cat")
    assert text_of(render("![](https://elsewhere.example/cat.png)")) == "Image"


@pytest.mark.parametrize(
    "url", ["javascript:x", "data:text/html,x", "//evil.example", "/\\evil.example", "notes.html", "ftp://x"]
)
def test_a_link_to_where_nobody_should_go_is_text(url: str) -> None:
    assert render(f"see [this]({url})") == ['<p dir="auto">see this</p>']


@pytest.mark.parametrize("url", ["https://a.example/b", "http://a.example", "mailto:a@b.example", "/courses/1?q=a#b"])
def test_a_link_to_elsewhere_opens_apart_and_says_nothing_of_us(url: str) -> None:
    (link,) = [tag for tag in elements(render(f"see [this]({url})")) if tag.name == "a"]
    assert link["href"] == url
    assert link["target"] == "_blank"
    assert link["rel"] == ["noopener", "noreferrer", "nofollow", "ugc"]


def test_control_characters_and_halves_of_pairs_are_harmless() -> None:
    assert render("a\x00b\x1b[0mc\ud800d") == ['<p dir="auto">a\ufffdb[0mc\ufffdd</p>']


def test_a_mark_of_our_own_in_a_text_stands_for_nothing() -> None:
    assert text_of(render("$x$ \ufdd00\ufdd1 &#xFDD0;0&#xFDD1;")).count("x") == 1

"""Markdown of models loads no image, runs no script and stays readable."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from speakr.domain import harmless_markdown
from speakr.domain.harmless_markdown import harmless


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d, x <3, 5<6",
        "# Heading\n\n- [ ] task\n- **bold** [link](https://example.com/a_(b)?c=d) and [mail](mailto:a@b.example)",
        "[relative](/docs) [anchor](#here) [scheme-relative](//example.com/)",
        '[titled](https://example.com "title")',
        "[Ann]: Meeting: started\n[ref]: https://example.com",
        "Wow! [1] and f(x)[0](y)",
        "`code` | table | and $x < y$",
        "`Vec<u8>` and **`<T>`** and ``a ` <b>``",
        "see [docs](http://a.example/b) and `<c>`\n- `<d>`\n\n```rust\nlet x: Vec<u8>; // ![a](b)\n```\n`<e>`",
        "~~~\n<a>\n```\n<b>\n~~~",
        "#![a] wow![1]",
        "[12:30]: Note:Ja",
        "[x](localhost:8080/x) [y](intranet.example:8080)",
        "",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert harmless(text) == text


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("![x](http://evil.example/a.png)", "x"),
        ("![](http://evil.example/a.png)", "image"),
        ('![x](http://evil.example/a_(b).png "t") y', "x y"),
        ("![x][ref]", "! [x][ref]"),
        ("![x](http://evil\n.example)", "! [x](http://evil\n.example)"),
        ("![!](x)[a](http://evil.example)", "! [a](http://evil.example)"),
        ("[![x](http://a.example)](http://b.example)", "[x](http://b.example)"),
        ("[x](javascript:alert(1))", "[x]"),
        ("[x](JaVaScRiPt:alert)", "[x]"),
        ("[x]( \tjavascript:alert)", "[x]"),
        ("[x](<javascript:alert(1)>)", "[x]"),
        ("[x](<java\tscript:alert>)", "[x]"),
        ("[x](java&#115;cript:alert)", "[x]"),
        ("[x](javascript&colon;alert)", "[x]"),
        ("[x](javascript\\:alert)", "[x]"),
        ("[x](data:text/html,y)", "[x]"),
        ("[x](file:///etc/passwd)", "[x]"),
        ("[x](\njavascript:alert)", "[x] (\njavascript:alert)"),
        ("[x](data:y)(javascript:z)", "[x] (javascript:z)"),
        ("[x](javascript:a((b))", "[x] (javascript:a((b))"),
        ("[r]: javascript:alert", "[r] : javascript:alert"),
        ("[r]:\n  <data:x>", "[r] :\n  <data:x>".replace("<d", "< d")),
        ("<script>alert(1)</script>", "< script>alert(1)< /script>"),
        ("a <img src=x onerror=y>", "a < img src=x onerror=y>"),
        ("<!-- x --> <?php ?>", "< !-- x --> < ?php ?>"),
        ("<javascript:alert(1)>", "< javascript:alert(1)>"),
        ("<https://x/onclick=y>", "https://x/onclick=y"),
        ("<https://example.com/a>", "https://example.com/a"),
        ("<https://x](>javascript:y)", "< https://x](>javascript:y)"),
        ("<https://x!>[y](http://z)", "< https://x!>[y](http://z)"),
        ("wow![1]\n\n[1]: http://evil.example", "wow! [1]\n\n[1]: http://evil.example"),
        ("[12:30]: javascript:alert", "[12:30] : javascript:alert"),
        ("[x](javascript:8080/alert)", "[x]"),
        ("[x](java" + "&#9;" * 300 + "script:alert)", "[x]"),
        ("[x](" + " " * 2000 + "javascript:alert)", "[x]"),
        ("[a](data:x): http://evil.example\n\nwow![a]", "[a] : http://evil.example\n\nwow![a]"),
        ("x<https://a>", "x< https://a>"),
        ("` <img>", "` < img>"),
        ("```\n<img>", "```\n< img>"),
        ("` \n` <img> `", "` \n` < img> `"),
        ("\\` <img> `", "\\` < img> `"),
        ("[x](`) <img> `", "[x](`) < img> `"),
        ("[x](/u 'a ` ') <img> `", "[x](/u 'a ` ') < img> `"),
        ("http://a/`b <img> `", "http://a/`b < img> `"),
        ("|`|x` `<img>`|", "|`|x` `< img>`|"),
        ("- ```\n  ```\n<img>\n```", "- ```\n  ```\n< img>\n```"),
        ("- a\n  ```\n<img>\n  ```", "- a\n  ```\n< img>\n  ```"),
        ("![```](x)\n```\na\n```\n<img>\n```", "image\n```\na\n```\n< img>\n```"),
    ],
)
def test_harmful_markdown_becomes_text(text: str, clean: str) -> None:
    assert harmless(text) == clean


LETTERS = st.sampled_from(
    [*"![]()<>:\\&;#\n \tajsdt\"'/x`~|$-", "```", "~~~", "\n\n", "](", "<i b>", "data:x", "`<i b>`"]
)
HARMFUL = re.compile(r"<(?:img|i b)|(?:href|src)=\"(?:data|javascript):", re.IGNORECASE)


@given(st.lists(LETTERS).map("".join))
def test_cleaning_is_final_and_keeps_the_lines(text: str) -> None:
    clean = harmless(text)
    assert harmless(clean) == clean
    assert clean.count("\n") == text.count("\n")


@settings(max_examples=500)
@given(st.lists(LETTERS, max_size=30).map("".join))
@pytest.mark.parametrize("preset", ["commonmark", "gfm-like"])
def test_a_viewer_shows_no_image_and_runs_nothing(preset: str, text: str) -> None:
    viewer = MarkdownIt(preset, {"html": True, "linkify": False})
    viewer.validateLink = lambda _: True
    assert not HARMFUL.search(viewer.render(harmless(text)))


def test_the_number_of_examined_targets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    examined: list[int] = []
    is_bad = harmless_markdown._is_bad

    def counted(text: str, start: int, **more: Any) -> bool:
        examined.append(start)
        return is_bad(text, start, **more)

    monkeypatch.setattr(harmless_markdown, "_is_bad", counted)
    clean = harmless("[x](a)" * 100_000)
    assert len(examined) == harmless_markdown.MAX_EXAMINED
    assert clean.count("](") <= harmless_markdown.MAX_EXAMINED
    examined.clear()
    clean = harmless("[x]: javascript:a\n" * 10_000)
    assert len(examined) == harmless_markdown.MAX_EXAMINED
    assert "]:" not in clean


def test_all_lines_of_long_minutes_stay() -> None:
    text = "[Ann]: Good morning.\n" * 10_000
    assert harmless(text) == text


@pytest.mark.parametrize(
    "piece", ["![", "![x](", "[x](", "](<", "]:", "<", "](((", "[x](javascript:", "](a)", "![]()"]
)
def test_long_text_takes_little_time(piece: str) -> None:
    text = (piece * 200_000)[:200_000]
    began = time.process_time()
    harmless(text)
    assert time.process_time() - began < 3

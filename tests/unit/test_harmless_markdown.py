"""Markdown of models loads no image, runs no script and stays readable."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        ("<https://x/onclick=y>", "< https://x/onclick=y>"),
    ],
)
def test_harmful_markdown_becomes_text(text: str, clean: str) -> None:
    assert harmless(text) == clean


@given(st.text(st.sampled_from(list("![]()<>:\\&;#\n \tajsdt\"'/x"))))
def test_cleaning_is_final_and_keeps_the_lines(text: str) -> None:
    clean = harmless(text)
    assert harmless(clean) == clean
    assert clean.count("\n") == text.count("\n")
    assert "![" not in clean


@pytest.mark.parametrize(
    "piece", ["![", "![x](", "[x](", "](<", "]:", "<", "](((", "[x](javascript:", "](a)", "![]()"]
)
def test_long_text_takes_little_time(piece: str) -> None:
    text = (piece * 200_000)[:200_000]
    began = time.process_time()
    harmless(text)
    assert time.process_time() - began < 3

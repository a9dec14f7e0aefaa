"""Search from the view of its users."""

from __future__ import annotations

import pytest

from speakr.db import db, unit_of_work
from speakr.models import (
    RecordingSpeaker,
    Segment,
)
from tests.api.library import write
from tests.conftest import Person


def search(person: Person, q: str, **params: object):
    answer = person.get("/api/v1/search", query_string={"q": q, **params})
    assert answer.status_code == 200, answer.json
    return answer.json


def found(person: Person, q: str, **params: object) -> list[int]:
    return [result["recording"]["id"] for result in search(person, q, **params)["results"]]


def matches(person: Person, q: str, **params: object) -> list[dict]:
    (result,) = search(person, q, **params)["results"]
    return result["matches"]


# -- matches


def test_every_kind_of_text_is_found_with_its_place(alice: Person) -> None:
    recording = write(
        alice,
        "nothing here",
        "We saw a walrus at noon",
        title="Zebra crossing",
        participants="Ann, Bob",
        summary="# Points\n- the okapi is shy",
        notes="ask the vet about lemurs",
    )
    for word, field, snippet in [
        ("zebra", "title", "<mark>Zebra</mark> crossing"),
        ("ann", "participants", "<mark>Ann</mark>, Bob"),
        ("okapi", "summary", "- the <mark>okapi</mark> is shy"),
        ("lemurs", "notes", "ask the vet about <mark>lemurs</mark>"),
    ]:
        (match,) = matches(alice, word)
        assert match == {
            "field": field,
            "snippet": snippet,
            "segment_id": None,
            "start_time": None,
            "end_time": None,
            "speaker": None,
        }
        assert found(alice, word, field=field) == [recording]
        assert found(alice, word, field="transcript") == []
    (match,) = matches(alice, "walrus")
    segment = db.session.query(Segment).filter_by(recording_id=recording, position=1).one()
    assert match == {
        "field": "transcript",
        "snippet": "We saw a <mark>walrus</mark> at noon",
        "segment_id": segment.id,
        "start_time": 10.0,
        "end_time": 19.0,
        "speaker": "SPEAKER_00",
    }


def test_all_words_must_be_there_wherever_they_are(alice: Person) -> None:
    both = write(alice, "a walrus", title="On zebras")
    write(alice, "a walrus")
    assert found(alice, "WALRUS zebras") == [both]


def test_a_speaker_is_shown_by_name(alice: Person) -> None:
    recording = write(alice, "a walrus")
    with unit_of_work() as session:
        session.add(RecordingSpeaker(recording_id=recording, label="SPEAKER_00", name="Ann"))
    assert matches(alice, "walrus")[0]["speaker"] == "Ann"


def test_a_result_has_at_most_five_matches_the_best_ones(alice: Person) -> None:
    write(
        alice,
        *["the walrus"] * 10,
        "the walrus swims",
        *["the walrus"] * 10,
        title="walrus",
        summary="walrus\nwalrus",
    )
    places = matches(alice, "walrus swims")
    assert [place["field"] for place in places] == [
        "title",
        "transcript",
        "transcript",
        "transcript",
        "summary",
    ]
    assert [place["start_time"] for place in places] == [None, 0.0, 10.0, 100.0, None]


def test_newest_first_and_a_page_at_a_time(alice: Person) -> None:
    made = [write(alice, "the walrus", title=f"{n}") for n in range(7)]
    first = search(alice, "walrus", per_page=3)
    assert first["pagination"] == {
        "page": 1,
        "per_page": 3,
        "total": 7,
        "total_is_exact": True,
        "total_pages": 3,
        "has_next": True,
        "has_prev": False,
    }
    assert found(alice, "walrus", per_page=3) == made[:3:-1]
    assert found(alice, "walrus", per_page=3, page=2) == made[3:0:-1]
    last = search(alice, "walrus", per_page=3, page=3)
    assert [result["recording"]["id"] for result in last["results"]] == [made[0]]
    assert last["pagination"]["has_next"] is False
    assert last["pagination"]["has_prev"] is True
    beyond = search(alice, "walrus", per_page=3, page=4)
    assert beyond["results"] == []
    assert beyond["pagination"]["total"] == 7


def test_many_results_are_counted_up_to_a_thousand(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speakr.services.search.by_words.COUNTED", 4)
    made = [write(alice, "the walrus") for _ in range(7)][::-1]
    pages = [search(alice, "walrus", per_page=2, page=page) for page in (1, 2, 3, 4, 5)]
    found_pages = [[result["recording"]["id"] for result in page["results"]] for page in pages]
    assert found_pages == [made[:2], made[2:4], made[4:6], made[6:], []]
    assert [page["pagination"]["has_next"] for page in pages] == [True, True, True, False, False]
    assert {page["pagination"]["total"] for page in pages} == {4}
    assert {page["pagination"]["total_is_exact"] for page in pages} == {False}
    assert {page["pagination"]["total_pages"] for page in pages} == {None}


# -- queries


@pytest.mark.parametrize(
    ("text", "q"),
    [
        ("Die Straße nach Łódź", "STRASSE lodz"),
        ("café Ünïcode", "cafe unicode"),
        ("cafe", "Café"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("Ёлка", "елка"),
        ("don't panic", "don\u2019t"),
        ("mail ann.lee@example.com now", "ann.lee@example.com"),
        ("version 3.14 of it", "3.14"),
        ("das Schifffahrtsamt", "schiff*"),
        ("we celebrate 🎉 now", "🎉"),
        ("a family 👨‍👩‍👧 photo", "👨‍👩‍👧"),
        ("明日の会議室を予約", "会議室"),
        ("明日の会議室を予約", "議室"),
        ("明日の会議室を予約", "会"),
        ("회의를 시작합니다", "회의"),
        ("สวัสดีครับ", "สวัสดี"),
        ("हिन्दी में", "हिन्दी"),
        ("שָׁלוֹם", "שלום"),
        ("foo_bar", "bar"),
        ("100% of it", "100%"),
        ("the quick brown fox", '"quick brown"'),
        ("the quick brown fox", "“quick brown”"),
        ("the quick brown fox", '"Quick, BROWN!'),
        ("the quick brown fox", "fox -wolf"),
        ("the quick brown fox", 'fox -"brown quick"'),
        ("well-known", "well-known"),
        ("x" * 90, "x" * 90),
        ("x" * 90, "x" * 64),
    ],
)
def test_it_is_found(alice: Person, text: str, q: str) -> None:
    recording = write(alice, "something else", text)
    assert found(alice, q) == [recording]
    assert "<mark>" in matches(alice, q)[0]["snippet"]


@pytest.mark.parametrize(
    ("text", "q"),
    [
        ("the quick brown fox", "qui"),
        ("the quick brown fox", "q*"),
        ("the quick brown fox", '"brown quick"'),
        ("the quick brown fox", '"quick fox"'),
        ("the quick brown fox", "fox -quick"),
        ("the quick brown fox", 'fox -"quick brown"'),
        ("the quick brown fox", "fox -qui*"),
        ("the quick brown fox", "%"),
        ("the quick brown fox", "_"),
        ("the quick brown fox", "qu_ck"),
        ("the quick brown fox", "qu%"),
        ("the quick brown fox", "-wolf"),
        ("明日の会議室を予約", "室会"),
        ("明日の会議、室を予約の会", "日会"),
        ("会議 と 議室", "会議室"),
        ("hers", "hers' OR '1'='1"),
    ],
)
def test_it_is_not_found(alice: Person, text: str, q: str) -> None:
    write(alice, text)
    assert found(alice, q) == []


def test_a_phrase_does_not_reach_from_one_segment_into_the_next(alice: Person) -> None:
    write(alice, "quick", "brown")
    assert found(alice, '"quick brown"') == []
    assert len(found(alice, "quick brown")) == 1


@pytest.mark.parametrize(
    "q",
    [
        "NEAR(quick brown)",
        "quick OR wolf",
        "quick AND NOT fox",
        "title:quick",
        "{title} : quick",
        "((quick",
        "quick))",
        '"quick',
        '"" quick',
        '"""quick"""',
        "^quick",
        "quick +brown",
        "quick & brown | !fox <-> x:*AB",
        "\\quick",
        "'quick' ''",
        "quick; DROP TABLE recordings",
        "quick*brown**",
        "- -- --quick ---",
        "* ** -*",
        "?*()[]{}^$|\\",
        "\x01\x02\x7f",
        "\u202e\u0000quick",
        "\ufffe\uffff\U0010ffff",
        "́̂ quick",
        "ﷺ" * 27,
        "会" * 500,
        " ".join(["a"] * 100),
        "a-" * 250,
    ],
)
def test_no_question_is_syntax(alice: Person, q: str) -> None:
    write(alice, "the quick brown fox")
    for field in (None, "title", "notes"):
        params = {"q": q} if field is None else {"q": q, "field": field}
        assert alice.get("/api/v1/search", query_string=params).status_code == 200


def test_what_cannot_be_stored_is_dropped(alice: Person) -> None:
    recording = write(alice, "the quick brown fox")
    assert found(alice, "qu\x00ick") == [recording]
    answer = alice.get("/api/v1/search?q=quick%ED%A0%80")  # a lone surrogate
    assert answer.status_code == 200


@pytest.mark.on_sqlite
@pytest.mark.parametrize("q", ["", "   ", "\t\n", "\x00"])
def test_a_question_is_required(alice: Person, q: str) -> None:
    answer = alice.get("/api/v1/search", query_string={"q": q})
    assert answer.status_code == 400
    assert answer.json["error"] == "q is required"
    assert "q" in answer.json["errors"]
    assert alice.get("/api/v1/search").json["error"] == "q is required"


@pytest.mark.on_sqlite
@pytest.mark.parametrize("q", ["x" * 501, "x" * 1_000_000, " ".join(f"w{n}" for n in range(21))])
def test_a_question_has_limits(alice: Person, q: str) -> None:
    answer = alice.get("/api/v1/search", query_string={"q": q})
    assert answer.status_code == 400
    assert list(answer.json["errors"]) == ["q"]


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("field", "secrets"),
        ("page", 0),
        ("page", 10**9),
        ("per_page", 0),
        ("per_page", 101),
        ("starred", "maybe"),
    ],
)
def test_parameters_are_checked(alice: Person, name: str, value: object) -> None:
    answer = alice.get("/api/v1/search", query_string={"q": "x", name: value})
    assert answer.status_code == 400
    assert list(answer.json["errors"]) == [name]


def test_snippets_are_safe_and_short(alice: Person) -> None:
    write(
        alice,
        "<script>alert('walrus')</script> & co",
        "word " * 300 + "Octopus " + "word " * 300,
        "長い" * 300 + "鯨" + "長い" * 300,
    )
    (match,) = matches(alice, "walrus")
    assert match["snippet"] == "&lt;script&gt;alert(&#x27;<mark>walrus</mark>&#x27;)&lt;/script&gt; &amp; co"
    for word in ("octopus", "鯨"):
        (match,) = matches(alice, word)
        assert len(match["snippet"]) < 230
        assert "<mark>" in match["snippet"]
        assert match["snippet"].startswith("…")
        assert match["snippet"].endswith("…")

"""The pinned requirements install in hash mode, with old and new versions of pip."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from speakr.operations.model_preparation import needed

ROOT = Path(__file__).resolve().parents[2]
LOCKED = ("requirements.txt", "requirements-dev.txt", "requirements-languages.txt")


def pins(path: Path) -> dict[str, Requirement]:
    """Return what a requirements file pins, by canonical name."""
    lines = re.findall(r"^([A-Za-z0-9][^\\\n]*)", path.read_text(), re.MULTILINE)
    return {canonicalize_name(pin.name): pin for pin in map(Requirement, lines)}


def missing_extras(pinned: dict[str, Requirement]) -> Iterator[str]:
    """Yield each requirement of a pinned package that asks for an extra which the pin does not name."""
    for name, pin in pinned.items():
        try:
            wanted = requires(name) or []
        except PackageNotFoundError:  # pinned for another platform
            continue
        for need in map(Requirement, wanted):
            active = any(
                need.marker is None or need.marker.evaluate({"extra": extra}) for extra in {"", *pin.extras}
            )
            target = pinned.get(canonicalize_name(need.name))
            if active and target is not None and not need.extras <= target.extras:
                yield f"{name} wants {need}, pinned is {target}"


@pytest.mark.parametrize("name", LOCKED)
def test_every_pin_names_the_extras_that_others_want(name: str) -> None:
    """In hash mode, pip 23 refuses `coverage[toml]` when only `coverage` is pinned."""
    assert list(missing_extras(pins(ROOT / name))) == []


def test_a_pin_without_its_extra_is_found() -> None:
    pinned = pins(ROOT / "requirements-dev.txt")
    bare = {**pinned, "coverage": Requirement("coverage==1.0")}
    assert [line.partition(" ")[0] for line in missing_extras(bare)] == ["pytest-cov"]


def test_the_extras_of_the_project_itself_are_pinned() -> None:
    """`pyproject.toml` asks for extras too, and it is installed beside the pins."""
    pinned = pins(ROOT / "requirements-dev.txt")
    for need in map(Requirement, requires("speakr") or []):
        if need.extras:
            assert need.extras <= pinned[canonicalize_name(need.name)].extras, need


def test_languages_add_to_the_other_pins_and_contradict_none() -> None:
    """They are installed after requirements.txt, into the same environment, and tested with requirements-dev.txt."""
    languages = pins(ROOT / "requirements-languages.txt")
    assert "faster-whisper" in languages
    assert "faster-whisper" not in pins(ROOT / "requirements.txt")
    for other in ("requirements.txt", "requirements-dev.txt"):
        pinned = pins(ROOT / other)
        assert {
            name: pin.specifier
            for name, pin in languages.items()
            if pinned.get(name, pin).specifier != pin.specifier
        } == {}, other


def test_models_for_other_languages_are_left_out_of_english_installations() -> None:
    assert set(needed("all")) - set(needed("en")) == {"whisper-base", "sentence-encoder-multilingual"}

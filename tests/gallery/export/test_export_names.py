"""File names from hostile text."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.export.names import UniqueNames, basename, number_text, own_name, picture_stem, safe_name

HOSTILE = st.one_of(
    st.text(max_size=300),
    st.sampled_from(
        ["../../etc/passwd", "C:\\x\\con.png", "NUL", "com1.tar.gz", "..", ".", "", "-rf", ".bashrc", "a/..", "~", "x" * 400 + ".png"]
    ),
    st.text(alphabet="./\\-\0\n: conaux", max_size=40),
)


@given(HOSTILE)
def test_any_text_becomes_one_harmless_name(text: str) -> None:
    name = safe_name(text)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,119}", name) and not name.endswith(".")
    assert (Path("/target") / name).resolve().parent == Path("/target")
    assert name.split(".")[0].lower() not in {"con", "prn", "aux", "nul", "com1", "lpt9"}


@given(st.lists(HOSTILE, max_size=12))
def test_no_name_is_given_twice_whatever_the_case(texts: list[str]) -> None:
    unique = UniqueNames()
    names = [unique.take(text) for text in texts]
    assert len({name.lower() for name in names}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,119}", name) for name in names)


@given(HOSTILE, HOSTILE, st.integers(1, 99_999))
def test_a_picture_stem_leaves_room_for_its_suffix(content: str, style: str, rank: int) -> None:
    stem = picture_stem(rank, content, style, "a1_b10_0123abcd")
    assert len(f"{stem}.png") <= 120 and re.fullmatch(r"[A-Za-z0-9._-]+", stem)
    assert stem.startswith(f"{rank:03d}_") and stem.endswith("_a1_b10_0123abcd")


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (100000.0, "1e5"), (3.16227766, "3.162"), (1e-7, "1e-7"), (0.5, "0.5"), (0.0, "0"), (1e22, "1e22")]
)
def test_numbers_in_names_are_short(value: float, text: str) -> None:
    assert number_text(value) == text


def test_letters_lose_their_accents_and_no_more() -> None:
    assert safe_name("Tübingen, façade.jpg") == "Tubingen-facade.jpg"
    assert safe_name("Tu\u0308bingen.jpg") == "Tubingen.jpg"  # as macOS writes it


@given(st.lists(st.text(alphabet="夏冬休みд🎨é a1", max_size=6), max_size=6, unique=True))
def test_names_of_which_letters_are_lost_are_told_apart(texts: list[str]) -> None:
    lost = [text for text in texts if any(char in text for char in "夏冬休みд")]
    assert len({own_name(text, "sweep") for text in lost}) == len(lost)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,119}", own_name(text, "sweep")) for text in texts)
    assert (own_name("sea sky", "sweep"), own_name("é", "sweep"), own_name("sweep", "sweep")) == ("sea-sky", "e", "sweep")
    assert own_name("🎨", "sweep") != own_name("🎭", "sweep")


def test_suffix_of_a_long_name_is_kept() -> None:
    assert safe_name("x" * 400 + ".jpeg").endswith("xx.jpeg")


@pytest.mark.parametrize("path", ["/home/ada/photos/cat.png", "C:\\Users\\ada\\cat.png", "\\\\host\\share\\cat.png", "cat.png"])
def test_only_the_last_part_of_a_path_is_kept(path: str) -> None:
    assert basename(path) == "cat.png"

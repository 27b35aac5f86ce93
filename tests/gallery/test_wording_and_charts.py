import json

import pytest

from gallery.charts import curve_rows, log_ticks, loss_chart, scale_starts
from gallery.components.grid import frame_ratio
from gallery.wording import age, caption, duration, number, plain

POINTS = [
    {"step": step, "size": 64 if step < 2 else 96, "content_loss": 0.1 * step, "style_loss": 1.0 - 0.1 * step, "tv_loss": 0.0}
    for step in range(4)
]


def test_plain_text_keeps_every_letter_and_escapes_every_mark() -> None:
    assert plain("a*b [c](d) <e> $f$ `g`") == r"a\*b \[c\]\(d\) \<e\> \$f\$ \`g\`"
    assert plain("two\nlines") == "two lines"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (31.622776, "31.62"), (1e5, "1e5"), (2.5e-7, "2.5e-7"), (0.0, "0"), (None, "\N{EN DASH}"), (1e12, "1e12")],
)
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "just now"), (90, "1 min ago"), (3600, "1 hour ago"), (7300, "2 hours ago"), (200_000, "2 days ago")]
)
def test_ages_are_rounded_down(seconds: float, text: str) -> None:
    assert age(1000.0, 1000.0 + seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.84, "0.8 s"), (59, "59 s"), (185, "3 min 5 s"), (7800, "2 h 10 min"), (None, "\N{EN DASH}")]
)
def test_durations_have_two_units_at_most(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_a_caption_names_only_what_is_asked_for() -> None:
    parameters = {"content": "my.harbour.jpg", "style": "waves.png", "beta": 10.0, "steps": None, "size": 512, "layers": "gatys"}
    assert caption(parameters, ("content", "beta", "steps", "size")) == "my.harbour · beta 10 · steps auto · 512 px"


def test_zeros_are_left_out_of_a_logarithmic_chart() -> None:
    rows = curve_rows(POINTS)
    assert len(rows) == 7
    assert all(row["value"] > 0 for row in rows)


def test_scales_are_marked_where_the_picture_grows_and_not_for_a_single_one() -> None:
    assert scale_starts(POINTS) == [{"step": 0, "size": "64 px"}, {"step": 2, "size": "96 px"}]
    assert scale_starts(POINTS[:2]) == []


def test_ticks_reach_around_the_curve() -> None:
    ticks = log_ticks(POINTS)
    values = [row["value"] for row in curve_rows(POINTS)]
    assert min(ticks) <= min(values)
    assert max(ticks) >= max(values)


@pytest.mark.parametrize("points", [POINTS, POINTS[:1]])
def test_the_chart_is_valid_and_names_unweighted_losses_alone(points: list[dict[str, float]]) -> None:
    text = json.dumps(loss_chart(points).to_dict())
    assert "Content loss" in text
    assert "Style loss" in text
    assert "total" not in text.lower()


def test_a_page_without_pictures_has_frames_all_the_same() -> None:
    assert frame_ratio(()) == 1.5

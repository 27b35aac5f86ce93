import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.models import RUN_STATES
from db.queries import PARAMETERS, RECIPES_OWN, YARDSTICKS
from gallery.filters import (
    LAYOUTS,
    OTHERS,
    PER_PAGE,
    FilterSpec,
    canonical_choices,
    canonical_pins,
    canonical_ranges,
    read_choice,
    token,
)
from gallery.view import FLAGS, NUMBERS, SORTS, SWEEP, Choice, Range, Value, View

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30)
floats = st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0)
integers = st.integers(-(2**63) + 1, 2**63 - 1)


OTHER_KEYS = [
    "sweep",
    "state",
    "sort",
    "p",
    "n",
    "id",
    "flag",
    "stars",
    "tag",
    "q",
    "by",
    "within",
    "group",
    "collapse",
    "asof",
    "view",
    "x",
    "zv",
    "pin",
    "others",
]
ranges = st.tuples(floats, floats).map(lambda ends: Range(low=min(ends), high=max(ends)))


def values_of(name: str) -> st.SearchStrategy[Choice]:
    one = {float: floats, int: integers}.get(NUMBERS.get(name, str), texts)
    several = st.lists(one, max_size=4, unique=True).map(lambda values: tuple(sorted(values)))
    if name in RECIPES_OWN:
        several = st.one_of(several, several.map(lambda values: (None, *values)))
    if name not in NUMBERS:
        return several
    return st.one_of(several, ranges)


def pin_of(name: str) -> st.SearchStrategy[Value]:
    one = {float: floats, int: integers}.get(NUMBERS.get(name, str), texts)
    return st.none() | one if name in RECIPES_OWN else one


specs = st.builds(
    FilterSpec,
    view=st.builds(
        View,
        sweeps=st.lists(texts, max_size=3, unique=True).map(tuple),
        choices=st.fixed_dictionaries({name: values_of(name) for name in PARAMETERS}).map(canonical_choices),
        states=st.sets(st.sampled_from(RUN_STATES)).map(lambda states: tuple(one for one in RUN_STATES if one in states)),
        yardsticks=st.fixed_dictionaries({}, optional={name: ranges for name in YARDSTICKS}).map(canonical_ranges),
        flags=st.sets(st.sampled_from(FLAGS)).map(lambda flags: tuple(one for one in FLAGS if one in flags)),
        stars=st.none() | ranges,
        tags=st.lists(texts, max_size=3, unique=True).map(tuple),
        text=st.just("") | texts,
        by=st.just("") | texts,
        sort=st.sampled_from(SORTS),
        within=st.booleans(),
        group=st.sampled_from(["", SWEEP, *PARAMETERS]),
        collapse=st.booleans(),
    ),
    layout=st.sampled_from(LAYOUTS),
    x=st.sampled_from(["", *PARAMETERS]),
    y=st.sampled_from(["", *PARAMETERS]),
    z=st.sampled_from(["", *PARAMETERS]),
    z_value=st.just("") | texts,
    others=st.sampled_from(["", *OTHERS]),
    pins=st.fixed_dictionaries({}, optional={name: pin_of(name) for name in PARAMETERS}).map(canonical_pins),
    asof=st.none() | st.integers(0, 2**62),
    page=st.integers(1, 1_000_000),
    per_page=st.sampled_from(PER_PAGE),
)


@given(specs)
def test_a_view_comes_back_from_its_url(spec: FilterSpec) -> None:
    assert FilterSpec.from_params(spec.to_params()) == spec


@given(st.dictionaries(st.sampled_from([*PARAMETERS, *YARDSTICKS, *OTHER_KEYS]), st.lists(st.text(max_size=30), max_size=4)))
def test_any_url_gives_a_view_whose_own_url_gives_it_again(params: dict[str, list[str]]) -> None:
    spec = FilterSpec.from_params(params)
    assert spec.page >= 1
    assert spec.per_page in PER_PAGE
    assert FilterSpec.from_params(spec.to_params()) == spec


def test_defaults_stand_in_no_url() -> None:
    assert FilterSpec().to_params() == {}
    assert FilterSpec(view=View(sweeps=("demo",))).to_params() == {"sweep": ["demo"]}


def test_numbers_read_as_people_write_them() -> None:
    assert token(100000.0) == "100000"
    assert token(1e-7) == "1e-07"
    assert token(0.1 + 0.2) == "0.30000000000000004"
    assert read_choice("beta", ["10", "1e1", "abc", "nan", "inf", "1e999", "3"]) == (3.0, 10.0)
    assert read_choice("steps", ["auto", "50", "x"]) == (None, 50)
    assert read_choice("learning_rate", ["0.05", "auto", "0.02"]) == (None, 0.02, 0.05)
    assert read_choice("stop", ["off", "0.5 % per 25 steps"]) == ("0.5 % per 25 steps", "off")
    assert read_choice("beta", ["auto"]) == ()
    assert read_choice("seed", ["1" * 30, "2.5", "-3"]) == (-3,)
    assert read_choice("beta", ["300..1"]) == Range(low=1.0, high=300.0)
    assert read_choice("content", ["a..b.jpg"]) == ("a..b.jpg",)


@pytest.mark.parametrize("bad", ["", "a\0b", "\ud800", "x" * 3000])
def test_text_that_no_database_takes_is_passed_over(bad: str) -> None:
    assert read_choice("content", [bad, "cat.png"]) == ("cat.png",)


def test_a_change_of_the_view_opens_its_first_page() -> None:
    spec = FilterSpec(view=View(sweeps=("demo",)), page=7, per_page=96)
    for changed in (spec.with_choice("beta", (1.0,)), spec.with_view(sort="plan"), spec.with_view(states=("done",))):
        assert (changed.page, changed.per_page) == (1, 96)
    assert spec.with_choice("beta", (1.0,)).with_choice("beta", ()) == spec.on_page(1)

from hypothesis import given
from hypothesis import strategies as st

from db.browse import FrontPoint
from gallery.pareto import pareto_front

coordinates = st.integers(0, 6).map(float)


@given(st.lists(st.tuples(coordinates, coordinates, st.sampled_from("ab")), max_size=40))
def test_the_front_is_what_comparing_every_pair_finds(raw: list[tuple[float, float, str]]) -> None:
    points = [
        FrontPoint(run_key=str(number), group=(group,), content_kept=kept, style_gained=gained)
        for number, (kept, gained, group) in enumerate(raw)
    ]

    def beaten(one: FrontPoint) -> bool:
        return any(
            other.group == one.group
            and other.content_kept >= one.content_kept
            and other.style_gained >= one.style_gained
            and (other.content_kept, other.style_gained) != (one.content_kept, one.style_gained)
            for other in points
        )

    assert pareto_front(points) == {point.run_key for point in points if not beaten(point)}


def test_a_pair_is_not_measured_against_another_pair() -> None:
    worse = FrontPoint(run_key="worse", group=("cat", "waves"), content_kept=0.1, style_gained=0.1)
    better = FrontPoint(run_key="better", group=("harbour", "waves"), content_kept=0.9, style_gained=0.9)
    assert pareto_front([worse, better]) == {"worse", "better"}

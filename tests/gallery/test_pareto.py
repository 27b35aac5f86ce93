import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gallery.pareto import pareto_front

coordinates = st.one_of(st.integers(0, 6).map(float), st.just(float("nan")))


@given(st.lists(st.tuples(coordinates, coordinates, st.integers(0, 2)), max_size=40))
def test_the_front_is_what_comparing_every_pair_finds(points: list[tuple[float, float, int]]) -> None:
    def beaten(kept: float, gained: float, group: int) -> bool:
        return any(
            other_group == group and other_kept >= kept and other_gained >= gained and (other_kept, other_gained) != (kept, gained)
            for other_kept, other_gained, other_group in points
        )

    kept, gained, group = (np.array(column) for column in zip(*points, strict=True)) if points else (np.zeros(0),) * 3
    found = pareto_front(kept, gained, group.astype(np.int64))
    assert found.tolist() == [one[0] == one[0] and one[1] == one[1] and not beaten(*one) for one in points]

"""The circuit breaker and the list of bad nodes, by themselves."""

from sweep.events import Crashed, Event, Failed, Finished
from sweep.failures import Breaker, Nodes


def failed(number: int, error: str = "ValueError: no", kind: str = "bug") -> Failed:
    return Failed(run_key=f"r1-{number}", attempt=1, kind=kind, error=error)  # type: ignore[arg-type]


def done(number: int) -> Event:
    return Finished.__new__(Finished)  # only its kind is looked at


def killed(number: int, kind: str = "crashed", *, started: bool = True) -> Crashed:
    return Crashed(run_key=f"r1-{number}", attempt=1, kind=kind, error="gone", started=started)  # type: ignore[arg-type]


def trips(*events: tuple[Event, str]) -> list[bool]:
    breaker = Breaker()
    return [breaker.tripped("sweep", event, state) is not None for event, state in events]


def test_the_fifth_distinct_run_that_fails_alike_trips_it_once() -> None:
    assert trips(*[(failed(number), "failed") for number in range(7)]) == [False] * 4 + [True, False, False]


def test_one_run_that_fails_five_times_does_not() -> None:
    assert not any(trips(*[(failed(1), "failed")] * 7))


def test_different_failures_do_not_and_neither_do_those_after_a_success() -> None:
    assert not any(trips(*[(failed(number, f"{word}Error: no"), "failed") for number, word in enumerate("ABCDEFGH")]))
    assert not any(trips((done(0), "done"), *[(failed(number), "failed") for number in range(9)]))


def test_what_differs_from_run_to_run_makes_no_difference() -> None:
    errors = [f"OSError: /tmp/{number}/x.png of r1-{number:040x}, {number} bytes" for number in range(5)]
    assert trips(*[(failed(number, error), "failed") for number, error in enumerate(errors)])[-1]


def test_crashes_that_are_tried_again_do_not_count_until_they_quarantine() -> None:
    assert not any(trips(*[(killed(number), "queued") for number in range(9)]))
    assert trips(*[(killed(number), "quarantined") for number in range(5)])[-1]


def test_each_sweep_is_watched_by_itself() -> None:
    breaker = Breaker()
    for number in range(4):
        assert breaker.tripped("a", failed(number), "failed") is None
        assert breaker.tripped("b", failed(10 + number), "failed") is None
    assert breaker.tripped("a", failed(9), "failed") is not None


def test_a_node_is_bad_once_three_distinct_runs_died_there_and_good_again_after_one_that_finished() -> None:
    nodes = Nodes()
    assert [nodes.note("n", killed(number)) for number in (1, 1, 2, 3, 4)] == [False, False, False, True, False]
    assert nodes.bad() == {"n"}
    nodes.note("n", done(5))
    assert nodes.bad() == frozenset()


def test_lost_nodes_unstarted_workers_and_unknown_places_say_nothing() -> None:
    nodes = Nodes()
    for number in range(5):
        nodes.note("n", killed(number, "lost"))
        nodes.note("n", killed(number, started=False))
        nodes.note("", killed(number))
    assert nodes.bad() == frozenset()

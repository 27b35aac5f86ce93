"""What the command line does about an interrupt while a back end starts."""

import signal
import sys
import weakref

import pytest

from sweep.cli.running import _interruptible
from sweep.errors import Interrupted


class Thing:
    pass


def end_a_thing(asked: signal.Signals) -> None:
    """Python calls the weak reference's callback as the thing goes, and drops what is raised in it."""
    thing = Thing()
    reference = weakref.ref(thing, lambda _gone: signal.raise_signal(asked))
    del thing
    assert reference() is None


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_python_drops_takes_effect_when_the_start_is_over_and_shows_no_traceback(
    asked: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)
    reached = False
    with pytest.raises(Interrupted, match="before anything ran"), _interruptible():
        end_a_thing(asked)
        reached = True
    assert reached, "the interrupt was not dropped, so this shows nothing"
    assert shown == []


def test_an_exit_that_a_handler_of_rays_asks_for_in_such_a_moment_counts_as_well() -> None:
    def exits(_signum: int, _frame: object) -> None:
        sys.exit(15)

    with pytest.raises(Interrupted), _interruptible():
        signal.signal(signal.SIGTERM, exits)
        end_a_thing(signal.SIGTERM)


def test_other_errors_in_destructors_are_still_shown_and_the_handlers_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)
    showing, handler = sys.unraisablehook, signal.getsignal(signal.SIGTERM)
    with _interruptible():
        thing = Thing()
        _reference = weakref.ref(thing, lambda _gone: 1 / 0)
        del thing
    assert len(shown) == 1
    assert sys.unraisablehook == showing
    assert signal.getsignal(signal.SIGTERM) is handler

"""Keeps Streamlit from running fragments that have gone with their page.

A page that refreshes itself asks for it every few seconds. If it asks just as its reader goes to another page, Streamlit (1.67) queues the
request, drops the fragment with its page, and then begins the run all the same, in the name of the old page: the browser takes that for
a change of page, clears the new one, and breaks at the next thing it is told of it. Nothing of Streamlit's public words prevents that.
"""

from typing import Any

from streamlit.runtime.scriptrunner import ScriptRunner

_LATE = "stylesweep_late"


def skip_what_is_gone() -> None:
    """From now on, in this process: a run is not begun where none of the fragments that it is of is there any more."""
    run: Any = getattr(ScriptRunner, "_run_script", None)
    if run is None or hasattr(run, _LATE):  # another Streamlit, of which tests/browser say whether it needs this; or done already
        return

    def run_what_is_there(self: Any, rerun_data: Any) -> None:
        asked = rerun_data.fragment_id_queue
        if not asked or any(map(self._fragment_storage.contains, asked)):
            run(self, rerun_data)

    setattr(run_what_is_there, _LATE, True)
    ScriptRunner._run_script = run_what_is_there  # type: ignore[method-assign]

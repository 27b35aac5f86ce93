"""The gallery's pages, run by Streamlit's own test harness."""

import json
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

APP = Path(__file__).parent.parent / "gallery" / "app.py"


def page(name: str, **params: str | list[str]) -> AppTest:
    """A page under query parameters; it must not raise."""
    at = AppTest.from_file(str(APP), default_timeout=30)
    at.switch_page(f"app_pages/{name}.py")
    for key, value in params.items():
        at.query_params[key] = value
    at.run()
    assert not at.exception, at.exception
    return at


def words(at: AppTest) -> str:
    """Everything that Streamlit's own elements say."""
    kinds = (at.title, at.header, at.subheader, at.markdown, at.caption, at.code, at.info, at.warning, at.error)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def components(at: AppTest) -> dict[str, dict[str, Any]]:
    """Key -> what a component of ours was handed."""
    return {element.proto.id.rpartition("-")[2]: json.loads(element.proto.json) for element in at.get("bidi_component")}


def component(at: AppTest, key: str) -> dict[str, Any]:
    """What a component of ours was handed."""
    for element in at.get("bidi_component"):
        if element.proto.id.endswith(f"-{key}"):
            return dict(json.loads(element.proto.json))
    raise AssertionError(f"no component {key} among {[element.proto.id for element in at.get('bidi_component')]}")

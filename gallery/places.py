"""The pages that a sweep is looked at on, for links from one to another. No streamlit import."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """url: its path below the server, and its file's name."""

    title: str
    url: str
    icon: str

    @property
    def file(self) -> str:
        """As Streamlit names a page."""
        return f"app_pages/{self.url}.py"


GALLERY = Place("Gallery", "gallery", ":material/grid_view:")
EXPLORE = Place("Explore", "explore", ":material/scatter_plot:")
CULL = Place("Cull", "cull", ":material/done_all:")
LIVE = Place("Live", "live", ":material/monitoring:")
EXPORT = Place("Export", "export", ":material/archive:")
PLACES = (GALLERY, CULL, EXPLORE, LIVE, EXPORT)
"""All that take a sweep's name."""

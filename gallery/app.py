"""The gallery: page set-up and navigation; `gallery.server` starts it."""

import streamlit as st

from gallery.reading import calm
from gallery.routes import ICON_URL

st.set_page_config(page_title="stylesweep", page_icon=ICON_URL, layout="wide")

# Pictures need the room; Streamlit leaves a hand's breadth on either side.
st.html("<style>[data-testid='stMainBlockContainer'] { padding-left: 1.75rem; padding-right: 1.75rem; }</style>")
page = st.navigation(
    [
        st.Page("app_pages/sweeps.py", title="Sweeps", url_path="sweeps", default=True),
        st.Page("app_pages/gallery.py", title="Gallery", url_path="gallery"),
        st.Page("app_pages/cull.py", title="Cull", url_path="cull"),
        st.Page("app_pages/compare.py", title="Compare", url_path="compare"),
        st.Page("app_pages/crops.py", title="Crops", url_path="crops"),
        st.Page("app_pages/explore.py", title="Explore", url_path="explore"),
        st.Page("app_pages/live.py", title="Live", url_path="live"),
        st.Page("app_pages/export.py", title="Export", url_path="export"),
        st.Page("app_pages/run.py", title="Run", url_path="run", visibility="hidden"),
    ],
    position="top",
)
with calm():
    page.run()

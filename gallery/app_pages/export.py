"""Taking pictures away."""

import streamlit as st

st.write("soon")

"""The gallery's own elements: each is one Streamlit element, however many pictures it shows."""

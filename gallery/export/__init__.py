"""What is taken away: bundles, recipes in pictures, contact sheets. No Streamlit here."""

"""What is looked at and taken away: the Streamlit gallery and the exports. Never imports torch or ray."""

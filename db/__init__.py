"""What is remembered: the workspace's database and its content-addressed files. Never imports torch, ray or streamlit."""

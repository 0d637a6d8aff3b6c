"""The pages as a browser shows them: the scripts by themselves, and whole pages in a headless Chromium."""

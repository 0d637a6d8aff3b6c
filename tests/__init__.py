"""The tests, and the tools that they and `python -m tests.…` share."""

"""The case files in `cases/` and the runner that plays them against a server.

`python -m tests.conformance CASES.jsonl` plays one file.  The formats are
described beside the files, in `cases/README-<suite>.md`.
"""

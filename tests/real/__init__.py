"""Authentication met by programs that are not ours: curl, a browser, a WebSocket library, an OpenID provider.

Each test says why it is skipped where its program is missing.
"""

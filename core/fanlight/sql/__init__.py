"""SQL sessions over HTTP and WebSocket: text in, result entries out, engines behind effects.

Everything a session is — transactions, variables, prepared statements,
splitting — lives here and is pure.  An engine sees single clean statements and
`BEGIN`, `COMMIT` and `ROLLBACK`, nothing else.  No module here runs SQL.
"""

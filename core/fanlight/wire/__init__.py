"""Wire machines: bytes to events and back, for HTTP/1.1, HTTP/2 and WebSocket.

Each owns a parser and its bounds.  None knows a route, a user or a clock.
"""

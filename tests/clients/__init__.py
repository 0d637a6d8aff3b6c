"""Test clients without sockets: HTTP/1.1, HTTP/2 and WebSocket as machines.

They read strictly (h11, h2 and wsproto parse what the server sends) and write
freely (a request or a frame goes out as a test wants it, also a wrong one).
`wires` carries their bytes over a real socket; `tests.sim` over a connection
in memory.  Nothing here knows about the server's own code.
"""

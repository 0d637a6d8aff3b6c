"""One client: how its bytes open, become requests and answers, and end.  No socket and no clock is here."""

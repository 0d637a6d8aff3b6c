"""The `options` query parameter: startup settings of the engine session that a request opens.

Reads a query string and nothing else.  Whether a setting exists, and takes the
value, is for the engine to say.
"""

from __future__ import annotations

from collections.abc import Mapping

from .body import NotJson, parse_json
from .query import BadQuery, parse_query
from .response import Refused, text

MALFORMED = text(400, 'Failed to deserialize "options" map')


def parse_options(query: str) -> Mapping[str, str]:
    """The settings in `query` (a raw query string), by name, in byte order of the names.

    Empty when the parameter is absent or empty, and when the query string
    cannot be decoded as a whole (the parameter given twice, a broken escape):
    that counts as one without options.  Raises `Refused` with 400 when the
    parameter is not one JSON object whose values are all strings.
    """
    if not query:
        return {}
    try:
        document = parse_query(query, ("options",)).get("options")
        settings = parse_json(document) if document else {}
    except BadQuery:
        return {}
    except NotJson:
        raise Refused(MALFORMED) from None
    if not isinstance(settings, dict) or not all(isinstance(value, str) for value in settings.values()):
        raise Refused(MALFORMED)
    return {name: settings[name] for name in sorted(settings)}

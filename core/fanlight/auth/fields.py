"""Fields that every answer carries, whoever made it.

They follow from the answer's own fields and from one fact of its request.
Nothing a handler set is ever replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..http.response import Fields, Response

_NOSNIFF = ("x-content-type-options", "nosniff")
_CSP = ("content-security-policy", "default-src 'self'; frame-ancestors 'none'")
_REFERRER = ("referrer-policy", "no-referrer")
_NO_STORE = ("cache-control", "no-store")

_PLAIN: Fields = (_NOSNIFF,)
_UNSTORED: Fields = (_NOSNIFF, _NO_STORE)
_OURS = frozenset(name for name, _ in (_NOSNIFF, _CSP, _REFERRER, _NO_STORE))


def common_fields(response: Response, *, credentialed: bool) -> Fields:
    """What to add to `response`; `credentialed`: its request held Authorization or Cookie.

    Always `nosniff`; for HTML a content security policy and no referrer; for
    401 and for credentialed requests `no-store`.  Fields that the response
    has already are left out.
    """
    html = False
    present: set[str] | None = None
    for name, value in response.fields:
        if name == "content-type":
            html = value.startswith("text/html")
        elif name in _OURS:
            present = present or set()
            present.add(name)
    unstored = credentialed or response.status == 401
    if not html and present is None:
        return _UNSTORED if unstored else _PLAIN
    wanted = (_NOSNIFF, *((_CSP, _REFERRER) if html else ()), *((_NO_STORE,) if unstored else ()))
    return tuple(field for field in wanted if present is None or field[0] not in present)

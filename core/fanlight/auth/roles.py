"""Which names are special, and which roles admit which names.

Names are compared byte by byte: no case folding, no trimming, no Unicode
normalisation, so that two spellings are two users.  This module never asks
how a name was proved.
"""

from __future__ import annotations

from typing import Literal

from ..config.settings import Dialect, Settings
from .identity import Identity, Kind, Roles

ROLES: tuple[Roles, ...] = ("Normal", "Internal", "NormalAndInternal")

Policy = Roles | Literal["Anybody"] | None
"""What a group demands: roles, `Anybody` who is authenticated, or None: nobody at all."""

_LONGEST_NAME = 255


def is_internal(user: str, dialect: Dialect) -> bool:
    """An internal user: exactly one of the dialect's."""
    return user in dialect.internal_users


def is_reserved(user: str, dialect: Dialect) -> bool:
    """A name that no ordinary user can have; internal users' names are such, too."""
    if user in dialect.internal_users or user in dialect.reserved_words:
        return True
    # Only ASCII letters have a case here: `str.upper` would make PUBLIC of a dotless i as well.
    return user.startswith(dialect.reserved_prefixes) or (user.isascii() and user.lower() in dialect.reserved_any_case)


def token_may_name(user: str, dialect: Dialect, settings: Settings) -> bool:
    """May a provider's token say that somebody is `user`?

    Never a name that belongs to nobody, and an internal user's only where the
    operator trusts the provider so far (spec auth.md O8.2).
    """
    if is_internal(user, dialect):
        return settings.allow_internal_from_token
    return not is_reserved(user, dialect)


def role_allowed(user: str, roles: Policy, dialect: Dialect) -> bool:
    """Do `roles` admit `user`?  A missing policy is a wiring error and admits nobody."""
    if roles == "Anybody":
        return True
    if roles == "Normal":
        return not is_reserved(user, dialect)
    if roles == "Internal":
        return is_internal(user, dialect)
    if roles == "NormalAndInternal":
        return is_internal(user, dialect) or not is_reserved(user, dialect)
    return False


def is_user_name(user: str) -> bool:
    """1 to 255 bytes of UTF-8 without control characters (C0, DEL, C1)."""
    if not 0 < len(user) <= _LONGEST_NAME:
        return False
    if user.isascii():
        return user.isprintable()  # of ASCII, all but the controls
    if any(c < " " or "\x7f" <= c <= "\x9f" for c in user):
        return False
    return len(user.encode("utf-8", "surrogatepass")) <= _LONGEST_NAME


def named(user: str, kind: Kind, dialect: Dialect) -> Identity:
    """The identity of `user`, vouched for by `kind`; `internal` follows from the name."""
    return Identity(user, kind, internal=is_internal(user, dialect))

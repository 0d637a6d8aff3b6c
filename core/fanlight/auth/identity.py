"""Who a caller is, once somebody vouched for it.  Values only; decides nothing."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

Kind = Literal["None", "Password", "Oidc", "Frontegg"]
Roles = Literal["Normal", "Internal", "NormalAndInternal"]


@frozen
class Identity:
    """A user name and who vouched for it (spec auth.md section 0).

    `kind` is the authenticator that vouched; `groups` are None when the claim
    is absent; `internal` says that the name is an internal user's; `superuser`
    is an attribute of the role.
    """

    user: str
    kind: Kind = "None"
    groups: tuple[str, ...] | None = None
    admin: bool = False
    internal: bool = False
    superuser: bool = False

    @property
    def privileged(self) -> bool:
        """Internal users and superusers: may see dumps and write (decisions.md 2, 4)."""
        return self.internal or self.superuser

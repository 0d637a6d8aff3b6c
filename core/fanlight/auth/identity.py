"""Who a caller is, once somebody vouched for it.  Values only; decides nothing."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

Kind = Literal["None", "Password", "Oidc", "Frontegg"]
Roles = Literal["Normal", "Internal", "NormalAndInternal"]


@frozen
class Proof:
    """What an identity rests on, for as long as somebody goes on using it.

    `mark` is that of the role (`users.Role.mark`), empty where there was no
    role; `session` the key of a login session; `grant` that of an app
    password's session with its tenant; `ends` when it is over, in Unix seconds.
    """

    mark: str = ""
    session: bytes | None = None
    ends: float | None = None
    grant: bytes | None = None


@frozen
class Identity:
    """A user name and who vouched for it (spec auth.md section 0).

    `kind` is the authenticator that vouched; `groups` are None when the claim
    is absent; `internal` says that the name is an internal user's; `superuser`
    is an attribute of the role.  `proof` is None on kind None, where a name
    rests on nothing.
    """

    user: str
    kind: Kind = "None"
    groups: tuple[str, ...] | None = None
    admin: bool = False
    internal: bool = False
    superuser: bool = False
    proof: Proof | None = field(default=None, eq=False, repr=False)

    @property
    def privileged(self) -> bool:
        """Internal users and superusers: may see dumps and write (decisions.md 2, 4)."""
        return self.internal or self.superuser

"""System variables in SQL: ALTER SYSTEM and SHOW, for those who may.

The session layer reads the statements; this says what comes of them.  Every
change is in the audit log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from ..catalog.audit_log import drafted
from ..config.system import BadValue
from .errors import SqlError, unknown_variable

if TYPE_CHECKING:
    from ..catalog.audit_log import AuditLog
    from ..config.system import SystemVariables

ALONE = SqlError("ALTER SYSTEM cannot run inside a transaction block", "25001")
DENIED = SqlError("only internal users and superusers may change system variables", "42501")


@frozen
class SystemAccess:
    """What one session may do with the system variables of its app.  `user` is for the audit log."""

    variables: SystemVariables
    log: AuditLog = field(repr=False)
    user: str
    may_set: bool
    may_see: bool

    def alter(self, name: str | None, value: str | None, wall: float) -> SqlError | None:
        """ALTER SYSTEM SET, RESET for a `value` of None, and RESET ALL for a `name` of None too; why not."""
        if not self.may_set:
            return DENIED
        if name is not None and name.lower() not in self.variables:
            return unknown_variable(name)
        names = [name.lower()] if name is not None else [variable.name for variable in self.variables.declared()]
        for each in names:
            try:
                now = self.variables.set(each, value)
            except BadValue:
                return SqlError(f'invalid value for parameter "{each}": "{value}"', "22023")
            details = {"SetV1": {"name": each, "value": now if value is not None else None}}
            self.log.add([drafted("alter", "system", details, self.user)], wall)
        return None

    def show(self, name: str) -> str | SqlError | None:
        """The value of a variable; None for one that there is not."""
        if name.lower() not in self.variables:
            return None
        if not self.may_see:
            return SqlError(f'permission denied to examine "{name.lower()}"', "42501")
        return self.variables.get(name.lower())

    def refusal(self, name: str) -> SqlError | None:
        """Why SET does not do for a system variable; None for a name that is none."""
        if name.lower() not in self.variables:
            return None
        return SqlError(f'parameter "{name.lower()}" can only be changed with ALTER SYSTEM', "55P02")

    def rows(self) -> list[tuple[str, str, str]]:
        """Name, value and description of each, for SHOW ALL."""
        declared = self.variables.declared() if self.may_see else ()
        return [(each.name, self.variables.get(each.name), each.doc) for each in declared]

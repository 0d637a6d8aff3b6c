"""Route groups: what each kind of route demands before its handler runs.

One table, read by the gates and by the listener file, so that no route can be
served under rules that are written down nowhere.  This module states facts; it
checks nobody and matches no path.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from attrs import frozen

ConfiguredGroup = Literal[
    "base",
    "webhook",
    "internal",
    "metrics",
    "profiling",
    "mcp_agent",
    "mcp_developer",
    "console_config",
]
"""The groups that a listener switches on and gives roles to."""

RouteGroup = Literal[
    "base",
    "ws",
    "profiling",
    "internal",
    "leader",
    "metrics",
    "webhook",
    "login",
    "logout",
    "console_config",
    "mcp_agent",
    "mcp_developer",
    "oauth_metadata",
    "fallback",
]
"""Every group a request can belong to; `fallback` is every path that is unknown."""

Authentication = Literal["required", "in_band", "none"]
Cors = Literal["page", "mcp", "webhook"]
ForeignWrites = Literal["guarded", "guarded by itself", "guarded on None", "refused with cookie", "refused", "pass"]

CONFIGURED_GROUPS: tuple[ConfiguredGroup, ...] = get_args(ConfiguredGroup)


@frozen(kw_only=True)
class Group:
    """The facts of one group.

    `roles` names the configured group whose roles apply; None: nobody's (public
    groups) or, for `fallback`, a rule of its own (`Listener.policy`).
    `authentication`: `required` before the handler; `in_band`: the handler's
    own first message carries it (WebSocket); `none`: public.  `cors` is the
    set of cross-origin fields its answers carry; None: no such field ever, and
    OPTIONS is an ordinary method.  `trusted_header`: on kind None a proxy may
    name the user.  `foreign_writes`: what happens to a write that a page of
    another site made, see `origin.write_rule`.
    """

    name: RouteGroup
    roles: ConfiguredGroup | None
    authentication: Authentication = "required"
    cors: Cors | None = None
    trusted_header: bool = False
    foreign_writes: ForeignWrites = "guarded"

    @property
    def public(self) -> bool:
        """Credentials are never looked at: a wrong password does not matter."""
        return self.authentication == "none"


def _mcp(name: Literal["mcp_agent", "mcp_developer"]) -> Group:
    return Group(name=name, roles=name, cors="mcp", trusted_header=True, foreign_writes="guarded by itself")


_TABLE = (
    Group(name="base", roles="base", cors="page", trusted_header=True),
    # The handshake checks Origin by a rule of its own, so the write rule is off.
    Group(name="ws", roles="base", authentication="in_band", trusted_header=True, foreign_writes="pass"),
    Group(name="profiling", roles="profiling", cors="page", trusted_header=True),
    Group(name="internal", roles="internal", cors="page", trusted_header=True),
    # Leader routes and metrics never take the trusted header, not even to refuse a bad one.
    Group(name="leader", roles="internal"),
    Group(name="metrics", roles="metrics"),
    # A webhook is meant to be called by strangers: every origin may write.
    Group(name="webhook", roles=None, authentication="none", cors="webhook", foreign_writes="pass"),
    Group(name="login", roles=None, authentication="none", foreign_writes="refused"),
    Group(name="logout", roles=None, authentication="none", foreign_writes="refused with cookie"),
    Group(name="console_config", roles=None, authentication="none", foreign_writes="guarded on None"),
    # On kind None the Origin check of MCP itself, after the roles, does this work.
    _mcp("mcp_agent"),
    _mcp("mcp_developer"),
    Group(name="oauth_metadata", roles=None, authentication="none", foreign_writes="guarded on None"),
    Group(name="fallback", roles=None, cors="page", trusted_header=True),
)

GROUPS: Mapping[RouteGroup, Group] = MappingProxyType({group.name: group for group in _TABLE})
"""Every group by its name."""

"""The users file: the directory of users as JSON text, and back.

    {"users": {"ada": {"password": "SCRAM-SHA-256$…", "login": true, "superuser": false, "epoch": 0}}}

Every member of a user may be left out: no password, may log in, no superuser,
epoch 0.  Read strictly, since what is misread here is let in.  Nothing here
opens the file, and no error quotes more of it than a user's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from json import dumps
from typing import Any

from ..config.settings import ConfigurationError, kind_of
from ..http.body import NotJson, parse_json, repeated
from ..observe.escape import escape
from .users import Role, check_user

_MEMBERS: Mapping[str, type] = {"password": str, "login": bool, "superuser": bool, "epoch": int}
_WORDS: Mapping[type, str] = {str: "a string", bool: "a boolean", int: "a whole number"}


def read_users(text: str | bytes) -> dict[str, Role]:
    """The users of a file, in its order.  Raises `ConfigurationError`."""
    try:
        root = parse_json(text)
    except NotJson:
        raise ConfigurationError("users", "not valid JSON") from None
    members = _object(root, "users file")
    if set(members) != {"users"}:
        raise ConfigurationError("users file", "expected one member, `users`")
    return dict(_roles(_object(members["users"], "users")))


def write_users(roles: Mapping[str, Role]) -> str:
    """The text that `read_users` reads: one user on each line, all members written out."""
    rows = [
        f"    {dumps(name)}: "
        + dumps({"password": role.stored, "login": role.login, "superuser": role.superuser, "epoch": role.epoch})
        for name, role in roles.items()
    ]
    return '{\n  "users": {' + ("\n" + ",\n".join(rows) + "\n  " if rows else "") + "}\n}\n"


def _object(value: object, path: str) -> Mapping[str, Any]:
    """An object in which no member is given twice: one of the two would be a password nobody knows of."""
    if not isinstance(value, dict):
        raise ConfigurationError(path, f"expected an object, got {kind_of(value)}")
    if repeated(value):
        raise ConfigurationError(path, f"{escape(min(repeated(value)))} is given twice")
    return value


def _roles(users: Mapping[str, Any]) -> Iterator[tuple[str, Role]]:
    for name, given in users.items():
        path = f"users.{escape(name)}"
        members = _object(given, path)
        for member, value in members.items():
            _check_member(member, value, path)
        check_user(name, members.get("password"), path)
        yield (
            name,
            Role(
                members.get("password"),
                members.get("login", True),
                members.get("superuser", False),
                members.get("epoch", 0),
            ),
        )


def _check_member(member: str, value: object, path: str) -> None:
    """An unknown member is an error: it may be a misspelt restriction."""
    wanted = _MEMBERS.get(member)
    if wanted is None:
        raise ConfigurationError(path, f"unknown member {escape(member)}")
    if member == "password" and value is None:
        return
    if type(value) is not wanted or (wanted is int and isinstance(value, int) and value < 0):
        raise ConfigurationError(f"{path}.{member}", f"expected {_WORDS[wanted]}, got {kind_of(value)}")

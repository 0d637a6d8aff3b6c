"""What identity providers and token bearers send: JWTs, claims, key sets, users files; read or refused, never more."""

from __future__ import annotations

import json

from fanlight.auth.frontegg import FronteggSettings, read_access
from fanlight.auth.jwk import ALGORITHMS, MOST_KEYS, read_keys
from fanlight.auth.jwt import Claims, Jwt, groups_of, read_claims, read_object, read_token
from fanlight.auth.keyring import issuer_problem, url_scheme
from fanlight.auth.roles import is_user_name
from fanlight.auth.scram import parse
from fanlight.auth.users_file import read_users, write_users
from fanlight.config.settings import ConfigurationError

TENANT = FronteggSettings(token_url="https://a.example", tenant_id="0" * 32, public_key="-----BEGIN PUBLIC KEY-----")


def one_input(data: bytes) -> None:
    """The bytes are each of these in turn."""
    raw = data[:4000]
    _token(raw.decode("latin-1"))
    _documents(raw)
    try:
        roles = read_users(raw)
    except ConfigurationError:
        return
    assert read_users(write_users(roles)) == roles


def _token(text: str) -> None:
    parts = read_token(text)
    if isinstance(parts, Jwt):
        assert parts.algorithm in ALGORITHMS
        assert parts.signed.decode() == text.rpartition(".")[0]
    problem = issuer_problem(text)
    assert problem is None or len(text) < 12 or text not in problem
    assert url_scheme(text) in ("http", "https", None)
    stored = parse(text)
    assert stored is None or 0 < stored.iterations < 2**32


def _documents(raw: bytes) -> None:
    claims = read_claims(raw)
    if isinstance(claims, Claims):
        groups = groups_of(claims.all, "groups") or ()
        assert len(set(groups)) == len(groups)
        assert all(groups)
    access = read_access(raw, TENANT, 0.0)
    assert access is None or is_user_name(access.user)
    document = read_object(raw)
    keys = read_keys(document)
    assert keys is None or len(keys) <= MOST_KEYS
    assert document is None or json.dumps(document)

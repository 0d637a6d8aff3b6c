"""From `--listen` and `--config` to an app that may start.

Reads the one file that was named.  Rules about listeners are the core's; here
is only what a person may leave out on a command line.
"""

from __future__ import annotations

import errno
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from attrs import frozen

from fanlight import ALL_GROUPS, App, ConfigurationError, Listener, Settings
from fanlight.config.file import Configuration, parse
from fanlight.config.settings import Remark

FORMS: dict[str, Literal["json", "toml"]] = {".json": "json", ".toml": "toml"}


@frozen
class Wish:
    """What the person asked for: addresses as typed, and the file of `--config`."""

    addresses: tuple[str, ...] = ()
    config: Path | None = None


def app_for(wish: Wish) -> tuple[App, list[str]]:
    """An app that may start, and lines about its file that a person should see.

    Without a file every listener serves all groups, webhooks and MCP included,
    to whoever reaches it.  Raises `ConfigurationError`.
    """
    if wish.config is None:
        chosen = Configuration(tuple(listeners(wish.addresses or (Listener().address,))), Settings())
    elif wish.addresses:
        raise ConfigurationError("--listen", "not together with --config: the file says where to listen")
    else:
        chosen = read(wish.config)
    app = App(listeners=chosen.listeners, settings=chosen.settings, oidc=chosen.oidc, frontegg=chosen.frontegg)
    return app, warnings(chosen.remarks)


def listeners(addresses: Iterable[str]) -> Iterable[Listener]:
    """One listener for each address: `main`, `main-2`, `main-3`…"""
    for number, address in enumerate(addresses, 1):
        name = "main" if number == 1 else f"main-{number}"
        try:
            yield Listener(name, numeric(address), groups=ALL_GROUPS)
        except ConfigurationError as error:
            raise error.moved("--listen") from None


def numeric(address: str) -> str:
    """`address` with `localhost` put in figures; other names are not looked up."""
    host, colon, port = address.rpartition(":")
    return f"127.0.0.1{colon}{port}" if host == "localhost" else address


def read(path: Path) -> Configuration:
    """What the file at `path` says; its ending tells the form."""
    form = FORMS.get(path.suffix.lower())
    if form is None:
        raise ConfigurationError("--config", "expected a file whose name ends in .toml or .json")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError("--config", f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError("--config", "is not UTF-8 text") from None
    return parse(text, form)


def warnings(remarks: Iterable[Remark]) -> list[str]:
    """The remarks that are worth a line on the terminal."""
    return [f"{remark.path}: {remark.text}" for remark in remarks if remark.level == "warning"]


def reason(error: OSError, app: App) -> str:
    """Why no listener could be opened, for a person."""
    if isinstance(error, ssl.SSLError):
        return (
            f"cannot use {app.settings.tls_certificate} with {app.settings.tls_key}: {error.reason or 'not PEM files'}"
        )
    if error.filename is not None:
        return f"cannot read {error.filename}: {error.strerror}"
    where = " or ".join(listener.address for listener in app.listeners)
    hint = " (port 0 takes a free one)" if error.errno == errno.EADDRINUSE else ""
    return f"cannot listen on {where}: {error.strerror or error}{hint}"

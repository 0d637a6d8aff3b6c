"""Log filters: what is one, and which level it gives a logger."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.config.log_filter import LEVELS, LONGEST, MOST, LogFilter, read_filter


@pytest.mark.parametrize(
    ("text", "default", "targets"),
    [
        ("", None, {}),
        (" ", None, {}),
        ("info", "info", {}),
        ("INFO", "info", {}),
        ("off", "off", {}),
        ("fanlight=debug,info", "info", {"fanlight": "debug"}),
        ("info, shop.cart = trace ,shop=warn", "info", {"shop.cart": "trace", "shop": "warn"}),
        ("mz_sql::parser=error", None, {"mz_sql.parser": "error"}),
        ("root=warn", "warn", {}),
        ("info,debug", "debug", {}),
        ("shop=info,shop=off", None, {"shop": "off"}),
    ],
)
def test_what_is_a_filter(text: str, default: str | None, targets: dict[str, str]) -> None:
    read = read_filter(text)
    assert read is not None
    assert (read.default, dict(read.targets)) == (default, targets)


@pytest.mark.parametrize(
    "text",
    [
        "inof",
        "shop",
        "shop=",
        "=info",
        "shop=loud",
        "info,",
        ",",
        "shop=info;warn",
        "shop[span]=info",
        "a b=info",
        "1",
        "shop=info\n,x\0=info",
        "x" * 300 + "=info",
        "info" + " " * LONGEST,
        ",".join(["info"] * (MOST + 1)),
    ],
)
def test_what_is_none(text: str) -> None:
    assert read_filter(text) is None


def test_the_longest_name_counts() -> None:
    read = read_filter("warn,shop=info,shop.cart=debug")
    assert read is not None
    said = {name: read.level_of(name) for name in ("shop", "shop.cart.items", "shop.carton", "shopping", "", "other")}
    assert said == {
        "shop": "info",
        "shop.cart.items": "debug",
        "shop.carton": "info",
        "shopping": "warn",
        "": "warn",
        "other": "warn",
    }
    assert LogFilter().level_of("shop") is None


NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}(\.[a-z]{1,4}){0,2}", fullmatch=True).filter(lambda name: name != "root")


@given(st.dictionaries(NAMES, st.sampled_from(sorted(LEVELS)), max_size=8), st.none() | st.sampled_from(sorted(LEVELS)))
def test_what_is_written_is_read(targets: dict[str, str], default: str | None) -> None:
    parts = [f"{name}={level}" for name, level in targets.items()]
    read = read_filter(",".join([*parts, *([default] if default else [])]))
    assert read is not None
    assert (read.default, dict(read.targets)) == (default, targets)


@given(st.text(max_size=60))
def test_no_text_is_too_strange(text: str) -> None:
    read = read_filter(text)
    assert read is None or set(read.targets.values()) <= set(LEVELS)

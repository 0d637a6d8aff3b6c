"""Log filters at work: levels of loggers, filters of OpenTelemetry's handlers, and everything as it was afterwards."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator

import pytest

from fanlight import App
from fanlight.server import Server
from fanlight_engines.log_filters import NUMBERS, LogFilters
from fanlight_engines.process.introspection import log_level
from tests.sim import START, Seeded


class Kept(logging.Handler):
    """Keeps the messages that reach it."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


class Exporting(Kept):
    """Looks like a handler of OpenTelemetry, which is told by its module."""


Exporting.__module__ = "opentelemetry.sdk._logs"


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def shop() -> Iterator[logging.Logger]:
    logger = logging.getLogger("tests.shop")
    root = logging.getLogger().level
    yield logger
    logger.setLevel(logging.NOTSET)
    logging.getLogger().setLevel(root)


def start(app: App) -> tuple[Server, LogFilters]:
    server = Server(app, now=START, entropy=Seeded())
    return server, LogFilters(server)


@pytest.mark.parametrize("level", sorted(NUMBERS))
def test_every_level_is_told_as_it_was_set(app: App, shop: logging.Logger, level: str) -> None:
    _, engine = start(app)
    before = log_level()
    app.system.set("log_filter", level)
    assert log_level() == level
    engine.close()
    assert log_level() == before


def test_levels_are_set_changed_and_put_back(app: App, shop: logging.Logger) -> None:
    shop.setLevel(logging.ERROR)
    _, engine = start(app)
    app.system.set("log_filter", "tests.shop=debug,tests.shop.cart=trace")
    cart = logging.getLogger("tests.shop.cart")
    assert (shop.level, cart.level) == (logging.DEBUG, 5)
    assert cart.isEnabledFor(5)
    app.system.set("log_filter", "tests.shop=off")
    assert (shop.level, cart.level) == (logging.CRITICAL + 1, logging.NOTSET)
    assert not shop.isEnabledFor(logging.CRITICAL)
    app.system.set("log_filter", None)
    assert shop.level == logging.ERROR
    app.system.set("log_filter", "tests.shop=debug")
    engine.close()
    assert shop.level == logging.ERROR
    app.system.set("log_filter", "tests.shop=info")  # nobody serves any more
    assert shop.level == logging.ERROR


def test_what_the_program_sets_meanwhile_stays(app: App, shop: logging.Logger) -> None:
    _, engine = start(app)
    app.system.set("log_filter", "tests.shop=debug")
    shop.setLevel(logging.CRITICAL)
    engine.close()
    assert shop.level == logging.CRITICAL


def test_a_filter_that_is_there_before_serving_is_applied(app: App, shop: logging.Logger) -> None:
    app.system.set("log_filter", "tests.shop=debug")
    _, engine = start(app)
    assert shop.level == logging.DEBUG
    engine.close()


def test_the_access_log_can_be_switched_on_and_off(app: App) -> None:
    server, engine = start(app)
    app.system.set("log_filter", "fanlight.access=info,fanlight.security=off")
    assert (server.notes_access, server.audit.tells_admissions) == (True, False)
    app.system.set("log_filter", "fanlight.access=off,fanlight.security=info")
    assert (server.notes_access, server.audit.tells_admissions) == (False, True)
    engine.close()


def test_opentelemetry_hears_what_its_filter_lets_through(app: App, shop: logging.Logger) -> None:
    exporting, plain = Exporting(), Kept()
    shop.setLevel(logging.DEBUG)
    other = logging.getLogger("tests.other")
    for logger in (shop, other):
        logger.addHandler(exporting)
        logger.addHandler(plain)
    _, engine = start(app)
    try:
        app.system.set("opentelemetry_filter", "tests.shop=warn,error")
        shop.info("one")
        shop.warning("two")
        other.warning("three")
        other.error("four")
        assert exporting.messages == ["two", "four"]
        assert plain.messages == ["one", "two", "three", "four"]
        app.system.set("opentelemetry_filter", None)
        shop.info("five")
        app.system.set("opentelemetry_filter", "off")
        shop.critical("six")
        engine.close()
        shop.info("seven")
        assert exporting.messages == ["two", "four", "five", "seven"]
        assert exporting.filters == []
    finally:
        engine.close()
        for logger in (shop, other):
            logger.removeHandler(exporting)
            logger.removeHandler(plain)


def test_the_handler_of_the_real_sdk(app: App, shop: logging.Logger) -> None:
    logs = pytest.importorskip("opentelemetry.sdk._logs")
    export = pytest.importorskip("opentelemetry.sdk._logs.export")
    exporter, provider = export.InMemoryLogRecordExporter(), logs.LoggerProvider()
    provider.add_log_record_processor(export.SimpleLogRecordProcessor(exporter))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it is on its way into a package of instruments
        handler = logs.LoggingHandler(logger_provider=provider)

    def exported() -> list[object]:
        shop.info("quiet")
        shop.error("loud")
        found = [each.log_record.body for each in exporter.get_finished_logs()]
        exporter.clear()
        return found

    shop.addHandler(handler)
    shop.setLevel(logging.DEBUG)
    _, engine = start(app)
    try:
        assert exported() == ["quiet", "loud"]
        app.system.set("opentelemetry_filter", "tests=warn")
        assert exported() == ["loud"]
        app.system.set("opentelemetry_filter", "off,tests.shop=info")
        assert exported() == ["quiet", "loud"]
        app.system.set("opentelemetry_filter", "off")
        assert exported() == []
        engine.close()
        assert exported() == ["quiet", "loud"]
    finally:
        shop.removeHandler(handler)
        provider.shutdown()

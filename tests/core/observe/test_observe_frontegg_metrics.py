"""`fanlight.observe.frontegg_metrics`: names and labels as the tenant's other clients have them."""

from __future__ import annotations

from fanlight.observe.exposition import Memory
from fanlight.observe.frontegg_metrics import FronteggMetrics
from fanlight.observe.negotiation import TEXT


def test_what_is_shown() -> None:
    metrics = FronteggMetrics()
    metrics.requested("exchange_secret_for_token", "200", 0.003)
    metrics.requested("exchange_secret_for_token", "timeout", 5.0)
    metrics.tasks(1)
    metrics.tasks(1)
    metrics.tasks(-1)
    metrics.asked("new")
    metrics.asked("active")
    metrics.refreshed(True, False)
    text = b"".join(Memory().slices(TEXT, None, metrics.together.parts)).decode()
    for line in (
        'mz_auth_request_count{path="exchange_secret_for_token",status="200"} 1',
        'mz_auth_request_count{path="exchange_secret_for_token",status="timeout"} 1',
        'mz_auth_request_duration_seconds_count{path="exchange_secret_for_token"} 2',
        "mz_auth_refresh_tasks_active 1",
        'mz_auth_session_request_count{existing_session="new"} 1',
        'mz_auth_session_request_count{existing_session="active"} 1',
        'mz_auth_session_refresh_count{outstanding_receivers="true",recent_drop="false"} 1',
    ):
        assert any(shown.startswith(line) for shown in text.splitlines()), (line, text)


def test_no_task_is_a_number() -> None:
    text = b"".join(Memory().slices(TEXT, None, FronteggMetrics().together.parts)).decode()
    assert "mz_auth_refresh_tasks_active 0" in text

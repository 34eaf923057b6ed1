"""Send metrics through Airflow's own pipe: StatsD, or OpenTelemetry, as ``[metrics]`` in Airflow's settings says.

Nothing is sent when neither is on. A metric that cannot be sent is a line in the log, and stops nothing.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk.configuration import conf
from airflow.sdk.observability import stats

from dataflyt.errors import DataflytError
from dataflyt.operations import metrics
from dataflyt.run.steps import HIDING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dataflyt.operations.metrics import Metric

log = logging.getLogger(__name__)


SWITCHES = ("statsd_on", "statsd_datadog_enabled", "otel_on")
"""The settings in ``[metrics]`` that turn Airflow's metrics on."""


def send(find: Callable[[], Iterable[Metric]]) -> int:
    """Send the metrics that ``find`` returns, and return how many there were. Never raises.

    ``find`` is not called when Airflow's metrics are off.
    """
    sent = 0
    if not any(conf.getboolean("metrics", switch, fallback=False) for switch in SWITCHES):
        return sent
    try:
        for name, value, tags in find():
            kind = metrics.METRICS[name].kind
            if kind == "counter":
                stats.incr(name, int(value), tags=dict(tags))
            elif kind == "gauge":
                stats.gauge(name, value, tags=dict(tags))
            else:
                stats.timing(name, timedelta(seconds=value), tags=dict(tags))
            sent += 1
    except Exception as error:
        why = error.sentence if isinstance(error, DataflytError) else type(error).__name__
        log.warning("Metrics were not sent: %s", why)
    return sent


@contextmanager
def timed(kommune: str, step: str) -> Iterator[None]:
    """Send how long a step took, whether it did its work or stopped; nothing about a step that hides people."""
    if step in HIDING:
        yield
        return
    began = time.monotonic()
    try:
        yield
    finally:
        send(lambda: [metrics.of_step(kommune, step, time.monotonic() - began)])

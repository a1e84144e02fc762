"""What the core says of itself, as metrics that are worked out when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from aaah_core import Metrics, measure

__all__ = ["AAAHCollector"]

#: Those with a label: the name, what it says, the label, and the field of `Metrics`.
_COUNTERS = [
    ("connections_accepted", "Connections that were accepted.", "consumer", "accepted"),
    ("connections_refused", "Handshakes that were refused.", "reason", "refused"),
    ("connections_closed", "Connections that ended.", "code", "closed"),
    ("overloads", "What clients asked too much.", "bound", "overloads"),
    ("events", "Events of this process, and to its connections.", "what", "events"),
]


class AAAHCollector(Collector):
    """Connections, queues, memberships and threads of this process."""

    def collect(self) -> Iterator[Metric]:
        """Look at the process, and yield what it holds."""
        return _families(measure())

    def describe(self) -> Iterator[Metric]:
        """Say what there is without a look: settings may not be there yet."""
        return iter(())


def _families(metrics: Metrics) -> Iterator[Metric]:
    for name, says, label, field in _COUNTERS:
        yield _labelled(CounterMetricFamily(f"aaah_{name}", says, labels=[label]), metrics, field)
    says = "Connections that are open."
    open_now = GaugeMetricFamily("aaah_connections", says, labels=["consumer"])
    yield _labelled(open_now, metrics, "connections")
    for name, says, value in _gauges(metrics):
        yield GaugeMetricFamily(f"aaah_{name}", says, value=value)


def _labelled(
    family: CounterMetricFamily | GaugeMetricFamily, metrics: Metrics, field: str
) -> Metric:
    values: Mapping[str, int] = getattr(metrics, field)
    for label, value in values.items():
        family.add_metric([label], value)
    return family


def _gauges(metrics: Metrics) -> Iterator[tuple[str, str, float]]:
    yield "inbox_messages", "Calls that wait.", metrics.inboxes.messages
    yield "inbox_longest", "Calls that wait on one connection, at most.", metrics.inboxes.longest
    yield "outbox_messages", "Frames that wait to be sent.", metrics.outboxes.messages
    yield "outbox_longest", "Frames that wait on one connection, at most.", metrics.outboxes.longest
    yield "memberships", "Memberships of groups.", metrics.memberships
    yield "workers", "Threads for sync code that there may be.", metrics.workers.size
    yield "workers_busy", "Threads for sync code that run something.", metrics.workers.busy
    yield "workers_waiting", "Jobs that wait for a thread.", metrics.workers.waiting
    yield "leaving", "1 when the server was told to end.", float(metrics.leaving)


REGISTRY.register(AAAHCollector())

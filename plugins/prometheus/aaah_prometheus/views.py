"""A view for scrapers, where the numbers are served by the project itself."""

from __future__ import annotations

import os

from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from aaah_prometheus import calls  # noqa: F401 - what registers the metrics
from aaah_prometheus.settings import settings

__all__ = ["metrics"]


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer a scraper that has the token; everybody else is answered 403.

    Where ``PROMETHEUS_MULTIPROC_DIR`` is set, the answer is of all processes, and of calls alone.
    """
    token = settings.token
    sent = request.headers.get("Authorization", "")
    if not token or not constant_time_compare(sent, f"Bearer {token}"):
        return HttpResponseForbidden("The numbers are for those who have the token.\n")
    return HttpResponse(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types here
    return registry

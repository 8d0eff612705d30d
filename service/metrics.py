"""What is counted, for Prometheus. Requests are labeled by the route's template, never by the path."""

from __future__ import annotations

import platform

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from fp8check.rules.version import VERSION

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30)


class Metrics:
    """The numbers of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "fp8check_requests", "Requests by route template", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "fp8check_request_seconds",
            "Time until the answer was sent",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.checks = Counter("fp8check_checks", "Checks by verdict", ("verdict",), registry=self.registry)
        self.cache = Counter("fp8check_cache", "Answers that were known", ("result",), registry=self.registry)
        self.jobs = Counter("fp8check_jobs", "Probes by how they ended", ("state",), registry=self.registry)
        self.waiting = Gauge("fp8check_jobs_waiting", "Probes that wait for a GPU", registry=self.registry)
        self.running = Gauge("fp8check_jobs_running", "Probes that run", registry=self.registry)
        build = Info("fp8check_build", "What runs here", registry=self.registry)
        build.info({"version": VERSION, "python": platform.python_version()})

"""What the gateway counts, and how Prometheus reads it (text format 0.0.4)."""

from __future__ import annotations

from collections import Counter


class Metrics:
    """Counters since the start of the process. One event loop changes them, so they need no lock."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.body_bytes = 0
        self.broken_bodies = 0

    def count(self, operation: str, status: int) -> None:
        """One request was answered with this status."""
        self.requests[operation, status] += 1

    def text(self) -> str:
        """All counters as a page."""
        lines = ["# HELP bindery_requests_total Requests answered.", "# TYPE bindery_requests_total counter"]
        lines += [
            f'bindery_requests_total{{operation="{operation}",status="{status}"}} {count}'
            for (operation, status), count in sorted(self.requests.items())
        ]
        for name, told, value in (
            ("bindery_body_bytes_total", "Bytes of members sent.", self.body_bytes),
            (
                "bindery_broken_bodies_total",
                "Answers that were cut off because the archive could not be read on.",
                self.broken_bodies,
            ),
        ):
            lines += [f"# HELP {name} {told}", f"# TYPE {name} counter", f"{name} {value}"]
        return "\n".join(lines) + "\n"

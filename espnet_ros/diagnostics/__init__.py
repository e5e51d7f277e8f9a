"""Status of nodes and machines: statuses, latency, Prometheus metrics."""

"""What is said about a node and its machine: statuses, latency, Prometheus metrics."""

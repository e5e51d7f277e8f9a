"""Parameters, lifecycle, messages, endpoints and process of all nodes."""

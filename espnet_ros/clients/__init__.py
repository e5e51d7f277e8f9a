"""Programs that talk to running nodes."""

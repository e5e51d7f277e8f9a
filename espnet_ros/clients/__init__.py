"""Nodes that communicate with running nodes: replay, watcher, monitor."""

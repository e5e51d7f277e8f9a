"""Benchmark and profiler on one set of measuring tools."""

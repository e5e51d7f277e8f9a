"""The inference form of a network: folded, with normalization and heads, tiled for CPUs, as ONNX."""

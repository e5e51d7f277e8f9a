"""The inference form of a network: folded, with normalization and heads, tiled for CPUs, as ONNX."""

OPSET, OPSETS = 13, range(11, 21)
"""Default ONNX operator set, which TensorRT 8 and ONNX Runtime 1.6 understand, and all that can be exported."""

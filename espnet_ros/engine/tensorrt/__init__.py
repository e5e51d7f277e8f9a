"""TensorRT through torch2trt."""

"""TensorRT through torch2trt."""

PRECISIONS = ('fp32', 'fp16', 'int8')

"""A change to OpenVINO's graph that spares it a turn of all logits in memory."""
import importlib


def multiply_logits(model):
    """Make a matrix product of the 1x1 convolution whose logits an arg max reads, in place; the same is computed.

    model: openvino.Model of static shape. OpenVINO's convolutions write channels last and its arg max is fast on planes
    only, so the logits, the network's largest tensor, would be turned around. A product of the weights and the
    convolution's input, where that is much smaller, writes planes at once.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() == 'TopK':
            logits = node.input_value(0).get_node()
            if logits.get_type_name() == 'Reshape':
                logits = logits.input_value(0).get_node()
            if logits.get_type_name() == 'Add':  # of the bias
                logits = logits.input_value(0).get_node()
            if _is_plain(logits):
                logits.output(0).replace(_product(logits))
    model.validate_nodes_and_infer_types()


def _is_plain(node):
    """Return whether a node is a convolution of 1x1 without stride that makes at least twice as many channels."""
    if node.get_type_name() != 'Convolution':
        return False
    image, weight, logits = (list(each.get_shape()) for each in (*node.input_values(), node.output(0)))
    return weight[2:] == [1, 1] and image[2:] == logits[2:] and logits[1] >= 2 * image[1]


def _product(convolution):
    ops = importlib.import_module('openvino.opset13')
    image, weight = convolution.input_value(0), convolution.input_value(1)
    (n, channels, height, width), outputs = image.get_shape(), weight.get_shape()[0]
    rows = ops.reshape(ops.transpose(image, [0, 2, 3, 1]), [n, height * width, channels], False)
    product = ops.matmul(ops.reshape(weight, [outputs, channels], False), rows, False, True)
    return ops.reshape(product, [n, outputs, height, width], False).output(0)

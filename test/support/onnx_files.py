"""Small ONNX files: 1x1 convolutions that classify by color, and hostile ones."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH, HEIGHT = 96, 64


def classifier(kind='logits', layout='NCHW', output_layout='NCHW', dtype='float32', stride=1, classes=3, opset=13,
               dynamic=False, metadata=None, change=None):
    """Return the bytes of a network whose class is the brightest channel of what it is given.

    Class 0 to 2 is the first to third channel of the input; further classes never win. change: function of the
    ModelProto before it is written.
    """
    number = {'float32': TensorProto.FLOAT, 'float16': TensorProto.FLOAT16, 'uint8': TensorProto.UINT8}[dtype]
    height, width = ('h', 'w') if dynamic else (HEIGHT, WIDTH)
    shape = [1, 3, height, width] if layout == 'NCHW' else [1, height, width, 3]
    weight = np.zeros((classes, 3, 1, 1), np.float32)
    weight[[0, 1, 2], [0, 1, 2]] = 1.0
    bias = np.full(classes, -1e3, np.float32)
    bias[:3] = 0
    nodes, x = [helper.make_node('Cast', ['image'], ['floats'], to=TensorProto.FLOAT)], 'floats'

    def then(op, inputs=(), **attributes):
        nonlocal x
        nodes.append(helper.make_node(op, [x, *inputs], ['x{}'.format(len(nodes))], **attributes))
        x = nodes[-1].output[0]
    if layout == 'NHWC':
        then('Transpose', perm=[0, 3, 1, 2])
    if stride > 1:
        then('AveragePool', kernel_shape=[stride, stride], strides=[stride, stride])
    then('Conv', ['weight', 'bias'])
    if kind == 'probabilities':
        then('Softmax', axis=1)
    if kind == 'labels':
        then('ArgMax', axis=1, keepdims=0)
    elif output_layout == 'NHWC':
        then('Transpose', perm=[0, 2, 3, 1])
    nodes.append(helper.make_node('Identity', [x], ['answer']))
    result = helper.make_tensor_value_info('answer', TensorProto.INT64 if kind == 'labels' else TensorProto.FLOAT, None)
    result.type.tensor_type.shape.SetInParent()
    for side in range(3 if kind == 'labels' else 4):
        result.type.tensor_type.shape.dim.add().dim_param = 's{}'.format(side)
    graph = helper.make_graph(nodes, 'classifier', [helper.make_tensor_value_info('image', number, shape)], [result],
                              [numpy_helper.from_array(weight, 'weight'), numpy_helper.from_array(bias, 'bias')])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)])
    model.ir_version = 7
    helper.set_model_props(model, metadata or {})
    if change:
        change(model)
    return model.SerializeToString()


def external(model, location='../../etc/passwd', **entries):
    """Keep the first weights in another file."""
    put_outside(model.graph.initializer[0], location, **entries)


def put_outside(tensor, location, **entries):
    """Keep a tensor in another file. entries: further ones of external_data, such as offset."""
    tensor.ClearField('raw_data')
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in dict(entries, location=location).items():
        tensor.external_data.add(key=key, value=value)


def save_in_two(path, content):
    """Write a network to a file, and all its weights to another one beside it, as PyTorch's exporter does."""
    onnx.save(onnx.load_model_from_string(content), str(path), save_as_external_data=True,
              location=path.name + '.data', size_threshold=0)


def huge_weights(model):
    """Claim weights of 100 GB."""
    model.graph.initializer[0].dims[:] = [25_000_000_000, 1, 1, 1]


def huge_tensor(model):
    """Make a tensor of 100 GB while it runs."""
    model.graph.initializer.append(numpy_helper.from_array(np.array([25_000_000_000], np.int64), 'side'))
    model.graph.node.append(helper.make_node('ConstantOfShape', ['side'], ['huge']))
    model.graph.node.append(helper.make_node('ReduceSum', ['huge'], ['unused']))


def huge_resize(model):
    """Enlarge the image to 100 GB."""
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 1, 2000, 2000], np.float32), 'scales'))
    model.graph.node.append(helper.make_node('Resize', ['floats', '', 'scales'], ['huge'], mode='nearest'))


def unfit(model):
    """Add images of two sizes."""
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((1, 3, 10, 10), np.float32), 'small'))
    model.graph.node.append(helper.make_node('Add', ['floats', 'small'], ['unused']))


def custom_operator(model):
    """Use an operator of somebody's own."""
    model.opset_import.append(helper.make_opsetid('com.evil', 1))
    model.graph.node.append(helper.make_node('RunShell', ['answer'], ['unused'], domain='com.evil'))


def loop(model):
    """Loop for ever."""
    body = helper.make_graph([helper.make_node('Identity', ['go'], ['go_on'])], 'body', [
        helper.make_tensor_value_info('i', TensorProto.INT64, []),
        helper.make_tensor_value_info('go', TensorProto.BOOL, [])], [
        helper.make_tensor_value_info('go_on', TensorProto.BOOL, [])])
    model.graph.node.append(helper.make_node('Loop', ['', 'true'], [], body=body))


def function(model):
    """Define a function."""
    model.functions.append(helper.make_function('own', 'f', ['a'], ['b'], [
        helper.make_node('Identity', ['a'], ['b'])], [helper.make_opsetid('', 13)]))


def negative_side(model):
    """Have weights of a negative size."""
    model.graph.initializer[0].dims[0] = -1


def sparse(model):
    """Have sparse weights of any size."""
    model.graph.sparse_initializer.append(onnx.SparseTensorProto(dims=[1 << 60]))


def sparse_constant(model):
    """Have a sparse constant, whose values are in another file."""
    values = TensorProto(name='values', data_type=TensorProto.FLOAT, dims=[1])
    put_outside(values, '/etc/passwd')
    node = helper.make_node('Constant', [], ['s'])
    attribute = node.attribute.add(name='sparse_value', type=onnx.AttributeProto.SPARSE_TENSOR)
    attribute.sparse_tensor.values.CopyFrom(values)
    model.graph.node.append(node)


def no_layers(model):
    """Have no layers."""
    del model.graph.node[:]


def old(model):
    """Be of an old opset."""
    model.opset_import[0].version = 9


def one_number(model):
    """Answer with the brightest channel's brightness, [1, 1, H, W]."""
    last = model.graph.node[-1]
    last.op_type = 'ReduceMax'
    last.attribute.extend([helper.make_attribute('axes', [1]), helper.make_attribute('keepdims', 1)])


def not_a_number(model):
    """Answer with NaN."""
    model.graph.initializer[1].raw_data = np.full(3, np.nan, np.float32).tobytes()


def not_a_number_in_the_dark(model):
    """Answer with NaN where no channel reaches 0.1."""
    last, is_labels = model.graph.node.pop(), model.graph.output[0].type.tensor_type.elem_type == TensorProto.INT64
    model.graph.initializer.extend([numpy_helper.from_array(np.array(0.1, np.float32), 'least'),
                                    numpy_helper.from_array(np.array(0, np.float32), 'zero')])
    model.graph.node.extend([
        helper.make_node('ReduceMax', ['floats'], ['brightest'], axes=[1], keepdims=int(not is_labels)),
        helper.make_node('Sub', ['brightest', 'least'], ['difference']),
        helper.make_node('Sqrt', ['difference'], ['root']),
        helper.make_node('Mul', ['root', 'zero'], ['nothing']),
        helper.make_node('Cast', last.input, ['before'], to=TensorProto.FLOAT),
        helper.make_node('Add', ['before', 'nothing'], last.output)])
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT


def text(model):
    """Answer with strings."""
    model.graph.node[-1].op_type = 'Cast'
    model.graph.node[-1].attribute.extend([helper.make_attribute('to', TensorProto.STRING)])
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.STRING


def sigmoids(model):
    """Answer with numbers from 0 to 1, each channel for itself."""
    model.graph.node[-1].op_type = 'Sigmoid'


def two_less(model):
    """Answer with labels from -2 on."""
    model.graph.initializer.append(numpy_helper.from_array(np.array(2, np.int64), 'two'))
    model.graph.node[-1].op_type = 'Sub'
    model.graph.node[-1].input.append('two')


def open_sides(model):
    """Leave all sides open, as transformers' exports do, and the output's shape out."""
    for dimension, name in zip(model.graph.input[0].type.tensor_type.shape.dim, 'nchw'):
        dimension.dim_param = name
    model.graph.output[0].type.tensor_type.ClearField('shape')


def shapeless(model):
    """Have an input of no known shape."""
    model.graph.input[0].type.tensor_type.ClearField('shape')

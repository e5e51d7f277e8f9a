"""TensorRT and torch2trt: which versions work together, what is said of the others, and no operation lost."""
import sys

import pytest
import torch
from fake_jetson import make_jetson
from fake_torch2trt import NATIVE
from torch import nn

from espnet_ros.engine.tensorrt import converters as tensorrt_converters
from espnet_ros.engine.tensorrt.library import TensorRT
from espnet_ros.errors import EngineError


class Module(nn.Module):
    """A function as a traceable module."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.act = nn.PReLU(3)

    def forward(self, image):
        return self.function(self, image)


def build(function, example=None):
    example = torch.rand(1, 3, 4, 5) if example is None else example
    with torch.no_grad():
        return TensorRT().build(Module(function).eval(), example, 'fp32', 1 << 20)


@pytest.mark.parametrize('tensorrt, torch2trt, single', [
    ('8.2.1.8', '0.4.0', True), ('8.6.1', '0.4.0', True), ('8.6.1', '0.5.0', False), ('8.6.1', 'master', False),
    ('10.3.0', 'master', False)])
def test_versions_that_fit(monkeypatch, tensorrt, torch2trt, single):
    make_jetson(monkeypatch, tensorrt, torch2trt)
    library = TensorRT()
    assert library.version == tensorrt and library.calibrates_single_images is single


@pytest.mark.parametrize('tensorrt, torch2trt, words', [
    ('10.3.0', '0.5.0', 'this torch2trt is too old for TensorRT 10.3.0; install the master branch'),
    ('10.3.0', '0.4.0', 'too old for TensorRT 10.3.0'),
    ('11.0.0', 'master', 'TensorRT 11.0.0 has no IInt8Calibrator, which torch2trt needs; install TensorRT 8.2 to 10')])
def test_versions_that_do_not_fit(monkeypatch, tensorrt, torch2trt, words):
    make_jetson(monkeypatch, tensorrt, torch2trt)
    with pytest.raises(EngineError, match=words):
        TensorRT()


@pytest.mark.parametrize('missing', ['NetworkDefinitionCreationFlag', 'ResizeCoordinateTransformation', 'Runtime'])
def test_a_tensorrt_that_lacks_something_else(monkeypatch, missing):
    monkeypatch.delattr(make_jetson(monkeypatch), missing)
    with pytest.raises(EngineError, match='TensorRT 8.2.1.8 has no ' + missing):
        TensorRT()


@pytest.mark.parametrize('name, remedy', [('tensorrt', 'it comes with JetPack'), ('torch2trt', 'from its repository')])
def test_what_is_not_installed_or_does_not_import(monkeypatch, tmp_path, name, remedy):
    make_jetson(monkeypatch)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EngineError, match=r'{} cannot be imported \(ModuleNotFoundError.*{}'.format(name, remedy)):
        TensorRT()
    monkeypatch.delitem(sys.modules, name)
    (tmp_path / (name + '.py')).write_text('raise OSError("libnvinfer.so.8: cannot open shared object file\\nmore")')
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(EngineError, match=r'\(OSError: libnvinfer.so.8: cannot open shared object file\); '):
        TensorRT()


def test_our_converters_take_the_place_of_torch2trts(monkeypatch):
    make_jetson(monkeypatch)
    converters = sys.modules['torch2trt'].CONVERTERS
    before = dict(converters)
    TensorRT()
    changed = {method for method in converters if converters[method] is not before.get(method)}
    ours = 'espnet_ros.engine.tensorrt.converters.'
    assert changed == {'torch.nn.functional.prelu', ours + 'normalize'}
    assert all(converters[method]['is_real'] for method in changed)
    assert set(NATIVE) - changed == {method for method in before if before[method]['is_real']} - changed


@pytest.mark.parametrize('function, name', [
    (lambda self, x: self.act(x.argmax(1, keepdim=True).float() + x), 'torch.Tensor.argmax'),
    (lambda self, x: self.act(torch.sigmoid(x)), 'torch.sigmoid'),
    (lambda self, x: self.act(x.clamp_(0, 1)), 'torch.Tensor.clamp_'),
    (lambda self, x: x.max(1)[1].float(), 'torch.Tensor.max'),
    (lambda self, x: nn.functional.hardtanh(x), 'torch.nn.functional.hardtanh')])
def test_an_operation_without_converter_is_an_error(monkeypatch, capsys, function, name):
    make_jetson(monkeypatch)
    with pytest.raises(EngineError, match='^torch2trt has no converter for {}$'.format(name)):
        build(function)
    assert capsys.readouterr().out == ''
    assert torch.sigmoid(torch.zeros(1)).item() == 0.5  # torch2trt has put everything back


def test_warnings_come_back_afterwards(monkeypatch):
    make_jetson(monkeypatch)
    converters = sys.modules['torch2trt'].CONVERTERS
    library = TensorRT()
    before = dict(converters)
    with tensorrt_converters.unconverted_operations_are_errors(library._torch2trt):
        assert converters['torch.sigmoid']['converter'] is not before['torch.sigmoid']['converter']
    assert converters == before


@pytest.mark.parametrize('version', [sys.version_info, (3, 6, 9)])
def test_tensors_can_be_indexed_by_tensors_afterwards(monkeypatch, version):
    # Python 3.6 does not restore Tensor.__getitem__ once it has been replaced.
    make_jetson(monkeypatch)
    monkeypatch.setattr(sys, 'version_info', version)
    before = dict(sys.modules['torch2trt'].CONVERTERS)
    build(lambda self, x: self.act(x))
    assert version >= (3, 7) or '__getitem__' not in vars(torch.Tensor)
    assert torch.arange(10)[torch.tensor([[1, 2], [3, 4]])].tolist() == [[1, 2], [3, 4]]
    assert sys.modules['torch2trt'].CONVERTERS['torch.Tensor.__getitem__'] is before['torch.Tensor.__getitem__']


def test_what_returns_no_tensor_is_no_operation(monkeypatch):
    trt = make_jetson(monkeypatch)
    build(lambda self, x: self.act(x) if x.dim() == 4 else None)
    assert trt.layers['parametric_relu'] == 1


def test_an_operation_that_torch2trt_does_not_see_is_an_error(monkeypatch):
    make_jetson(monkeypatch)
    with pytest.raises(EngineError, match='the input of torch.nn.functional.prelu comes from an operation that '
                                          'torch2trt does not see'):
        build(lambda self, x: self.act(torch.square(x)))


@pytest.mark.parametrize('shape', [(1, 3, 4, 5), (1, 3)])
@pytest.mark.parametrize('slopes', [1, 3])
def test_prelu_is_one_layer_and_exact(monkeypatch, shape, slopes):
    trt = make_jetson(monkeypatch)
    act = nn.PReLU(slopes).requires_grad_(False)
    act.weight.copy_(torch.tensor([0.5, -2.0, 1.5])[:slopes])
    example = torch.rand(shape) * 2 - 1
    library = TensorRT()
    execute = library.load(library.build(Module(lambda self, x: act(x)), example, 'fp32', 0))
    x = torch.rand(shape) * 20 - 10
    assert torch.equal(execute(x)[0], act(x)) and trt.layers['parametric_relu'] == trt.layers['constant'] == 1
    assert sum(trt.layers.values()) == 3


def test_what_cannot_be_loaded(monkeypatch):
    make_jetson(monkeypatch)
    library = TensorRT()
    content = build(lambda self, x: self.act(x))
    assert isinstance(content, bytes) and len(library.load(content)(torch.ones(1, 3, 4, 5))) == 1
    with pytest.raises(EngineError, match='TensorRT 8.2.1.8 cannot load the engine'):
        library.load(content[:-1])
    make_jetson(monkeypatch, '8.6.1')
    with pytest.raises(EngineError, match='TensorRT 8.6.1 cannot load the engine'):
        TensorRT().load(content)


def test_each_build_is_traced_anew(monkeypatch):
    make_jetson(monkeypatch)
    library = TensorRT()
    module = Module(lambda self, x: self.act(x)).eval().requires_grad_(False)
    contents = [library.build(module, torch.rand(1, 3, 4, 5), 'fp32', 0) for _ in range(2)]
    x = torch.randn(1, 3, 4, 5)
    assert all(torch.equal(library.load(content)(x)[0], module(x)) for content in contents)

"""Layers in OpenVINO: as many operations as PyTorch counts, whatever OpenVINO joins."""
import pytest
import torch
from torch import nn

openvino = pytest.importorskip('openvino')
pytest.importorskip('onnx')
from foreign_networks import onnx_bytes  # noqa: E402

from espnet_ros.performance.profile.counting import count_work  # noqa: E402
from espnet_ros.performance.profile.openvino_layers import _flop, measure_openvino_layers  # noqa: E402

NETWORK = nn.Sequential(
    nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, (3, 1), groups=4), nn.PReLU(16),
    nn.ConvTranspose2d(16, 8, 3, 2, groups=2), nn.ConvTranspose2d(8, 4, 2, 2), nn.Sigmoid(), nn.Flatten(2),
    nn.Linear(66 * 62, 5)).eval()


class Engine:
    """What is measured: an engine for the network above."""

    def request(self, **settings):
        core = openvino.Core()
        model = core.read_model(onnx_bytes(NETWORK, width=32, height=34))
        return core.compile_model(model, 'CPU', dict(settings, INFERENCE_PRECISION_HINT='f32')).create_infer_request()


def test_operations_are_those_that_pytorch_counts():
    image = torch.rand(1, 3, 34, 32)
    layers = measure_openvino_layers(Engine(), image[0].numpy(), runs=3)
    kinds = [layer.kind for layer in layers if layer.flop]
    assert kinds[:4] == ['Convolution', 'Convolution', 'Deconvolution', 'Deconvolution'] and len(kinds) == 5
    wanted = [work.flop for work in count_work(NETWORK, image).values() if work.flop]
    assert [layer.flop for layer in layers if layer.flop] == wanted
    first = next(layer for layer in layers if layer.flop)
    assert first.bytes == 4 * (3 * 34 * 32 + 8 * 3 * 9 + 8 + 8 * 17 * 16)  # image, weights, bias, result
    assert all(layer.seconds > 0 and layer.layer == layer.name for layer in layers)
    assert len({layer.name for layer in layers}) == len(layers)


def test_products_of_matrices():
    assert _flop('MatMul', [[1, 5, 24, 8], [1, 5, 8, 6]], [[1, 5, 24, 6]]) == 2 * 5 * 24 * 6 * 8
    assert _flop('Eltwise', [[1, 5]], [[1, 5]]) == 0

"""Quantization: what stays in float."""
import pytest
import torch
from small_models import CARD, network

from espnet_ros.deploy.onnx import onnx_model
from espnet_ros.evaluation import quantization

openvino = pytest.importorskip('openvino')
pytest.importorskip('onnx')


def test_sums_of_feature_maps_stay_in_float_and_biases_do_not():
    content = onnx_model(CARD, network(), 0, 0, confidence=True, dtype=torch.float32)
    sums = quantization._sums(openvino.Core().read_model(content))
    # ESP modules with K = 2 have no hierarchical fusion but a residual: one in level 2, one in level 3.
    assert sorted(sums) == ['/network/level2/level2.0/Add', '/network/level3/level3.0/Add']

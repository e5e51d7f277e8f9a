"""Quantization: how weights are rounded, and what stays in float."""
import types

import numpy as np
import pytest
from small_models import CARD, network

from espnet_ros.datasets import open_dataset
from espnet_ros.quantization import quantize
from espnet_ros.quantization.rounding import round_weights

openvino = pytest.importorskip('openvino')
pytest.importorskip('onnx')
WEIGHTS = np.random.default_rng(0).normal(0, 20, (8, 4, 3, 3)).astype(np.float32)
IMAGE = np.repeat(np.repeat(np.random.default_rng(1).uniform(0, 255, (1, 16, 24, 3)), 4, 1), 4, 2).astype(np.float32)


def graph(is_quantized, factors):
    """A model of one convolution over smooth images, in float or as NNCF returns it, channels scaled by factors."""
    op = openvino.opset13
    image = op.parameter([1, -1, -1, 3], np.float32, 'image')
    planes = op.transpose(image, np.array([0, 3, 1, 2]))
    planes = op.concat([planes, op.reduce_mean(planes, np.array([1]), True)], 1)
    weights = op.constant(WEIGHTS)
    if is_quantized:
        factors = np.array(factors, np.float32).reshape(1, 4, 1, 1)
        planes = op.multiply(planes, op.constant(factors))
        planes = op.fake_quantize(planes, *(np.float32(x) for x in (0, 512, 0, 512)), 256)
        planes.set_friendly_name('quantizer')
        rounded = op.constant(np.clip(np.rint(WEIGHTS / factors), -64, 63).astype(np.int8))
        weights = op.multiply(op.convert(rounded, 'f32'), op.constant(np.ones((8, 1, 1, 1), np.float32)))
    convolution = op.convolution(planes, weights, [1, 1], [2, 2], [2, 2], [2, 2])
    convolution.set_friendly_name('convolution')
    return openvino.Model([op.result(convolution)], [image], 'small')


def answer(model):
    return openvino.Core().compile_model(model, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})([IMAGE])[0]


@pytest.mark.parametrize('factors', [(1, 1, 1, 1), (0.5, 2, 1, 1.5)])
def test_weights_that_follow_make_up_for_the_error_of_one(factors):
    original, quantized = graph(False, factors), graph(True, factors)
    wanted = answer(original)
    before = np.square(answer(quantized) - wanted).mean()
    round_weights(openvino, quantized, original, [IMAGE])
    assert np.square(answer(quantized) - wanted).mean() < 0.5 * before
    weights = [node.data for node in quantized.get_ops()
               if node.get_type_name() == 'Constant' and node.data.dtype == np.int8]
    assert len(weights) == 1 and weights[0].min() >= -64 and weights[0].max() <= 63


def test_wide_convolutions_are_left_alone(monkeypatch):
    monkeypatch.setattr('espnet_ros.quantization.rounding._MOST_INPUTS', 35)
    quantized = graph(True, (1, 1, 1, 1))
    before = answer(quantized)
    round_weights(openvino, quantized, graph(False, (1, 1, 1, 1)), [IMAGE])
    assert np.array_equal(answer(quantized), before)


def test_inputs_put_back_into_float_are_not_rounded():
    model = graph(True, (1, 1, 1, 1))
    assert list(quantize._quantizers(model)) == ['quantizer']
    result = quantize._with_float(model, ['quantizer'])
    assert not quantize._quantizers(result) and list(quantize._quantizers(model)) == ['quantizer']
    assert quantize._float_layers(result) == ['convolution'] and not quantize._float_layers(model)


@pytest.mark.parametrize('losses, smoothing, in_float', [
    ([0.3], [-1], []), ([2, 0.3], [-1, 0.5], []), ([2, 1, 0.9, 0.2], [-1, 0.5], [1, 2]),
    ([2, 1, 0.9, 0.8, 0.7], [-1, 0.5], [1, 2, 3])], ids=['int8', 'smoothed', 'two in float', 'too much is lost'])
def test_no_more_is_left_in_float_than_accuracy_needs(monkeypatch, losses, smoothing, in_float):
    settings, tried = [], []

    def calibrated(model, data, **given):
        settings.append(given['advanced_parameters']['smooth_quant_alphas']['convolution'])
        return model
    scores = iter([60] + [60 - loss for loss in losses + losses[-1:]])
    nncf = types.SimpleNamespace(
        __version__='0', quantize=calibrated, Dataset=lambda *arguments: None, AdvancedQuantizationParameters=dict,
        AdvancedSmoothQuantParameters=dict, QuantizationPreset=types.SimpleNamespace(MIXED=0),
        OverflowFix=types.SimpleNamespace(ENABLE=0), ModelType=types.SimpleNamespace(TRANSFORMER=0))
    monkeypatch.setattr(quantize, '_library', {'openvino': openvino, 'nncf': nncf}.get)
    monkeypatch.setattr(quantize, '_score', lambda compiled, frames, size: quantize.Score(
        next(scores), [np.zeros((4, 4), np.uint8)] * len(frames)))
    monkeypatch.setattr(quantize, '_ranked', lambda *arguments: ['first', 'second', 'third'])
    monkeypatch.setattr(quantize, '_with_float', lambda model, names: tried.append(len(names)) or model)
    data = [open_dataset('street:2:96x64')]
    found = quantize.quantize(CARD, network(), data, data)
    assert settings == smoothing and tried == in_float and found.lost == pytest.approx(losses[-1])
    assert found.facts['sums'] == ('in float' if len(losses) > 1 else 'in int8')
    assert next(scores, None) is None

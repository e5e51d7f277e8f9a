"""Int8 companions of models: calibrated and checked with NNCF, for OpenVINO on CPUs."""
import importlib
import os
import pathlib
import tempfile
import typing

import numpy as np
import torch

from espnet_ros.datasets.base import Dataset
from espnet_ros.deploy.onnx import onnx_model
from espnet_ros.engine.calibration import MAX_IMAGES
from espnet_ros.engine.companion import pack, unpack
from espnet_ros.errors import ParameterError
from espnet_ros.evaluation.scoring import aligned, compare_labels
from espnet_ros.images.resize import resize_image
from espnet_ros.metrics.confusion import category_confusion, confusion_matrix, iou, mean
from espnet_ros.quantization.rounding import IMAGES, round_weights

TARGET_LOSS = 0.4
"""Points of mIOU that all layers in int8 may lose; beyond that sums, then the layers that cost most, stay in float."""

_RANKING_IMAGES = 6
_IN_FLOAT = (1, 2, 4, 8, 16)
"""Numbers of quantized inputs that are put back into float, each tried with a run over all held-out images."""
_ONLY_MOVING = ('Gather', 'Reshape', 'Transpose')
"""Operations that keep the values of their first input."""
_OVERFLOW_SAFE = 'weights use 7 of 8 bits, so that sums do not overflow on CPUs without VNNI'


class Score(typing.NamedTuple):
    """mIOU in points (of classes, or of categories where the data has other classes), and the labels of each image."""

    miou: float
    labels: typing.List[np.ndarray]


class Quantized(typing.NamedTuple):
    """A companion: its file's bytes, points of mIOU lost, and facts for the model card."""

    content: bytes
    lost: float
    facts: dict


def quantize(card, network, calibration, held_out, progress=lambda words: None):
    """Return the Quantized of a network; the images are resized to the card's input as on the robot.

    calibration, held_out: sequences of datasets (datasets.base.Dataset); the labels of the latter decide what is lost.
    progress: takes words on what begins. Raises ParameterError, SourceError, LabelError, ModelError.
    """
    openvino, nncf = _library('openvino'), _library('nncf')
    size = card.input_width, card.input_height
    core = openvino.Core()
    # Of any size, where the network leaves that open: the robot may use another one than the card's.
    sides = size if getattr(network, 'size_matters', False) else (0, 0)
    model = core.read_model(onnx_model(card, network, *sides, confidence=True, dtype=torch.float32))
    frames = [_Frame(dataset, i, comparison) for dataset, comparison in zip(held_out, compare_labels(
        card.label_set, [dataset.label_set for dataset in held_out])) for i in range(len(dataset))]
    if not frames:
        raise ParameterError('there are no held-out images')
    progress('labeling {} held-out images in fp32'.format(len(frames)))
    before = _score(_compiled(core, model, size), frames, size)
    count = sum(map(len, calibration))
    images = [(dataset, i) for dataset in calibration for i in range(len(dataset))]
    images = [images[i * count // min(count, MAX_IMAGES)] for i in range(min(count, MAX_IMAGES))]
    data = nncf.Dataset(images, lambda item: _input(item[0][item[1]].image, size))
    progress('calibrating with {} images'.format(len(images)))

    def calibrated(smoothing=-1.0, **settings):
        return nncf.quantize(
            model.clone(), data, preset=nncf.QuantizationPreset.MIXED, subset_size=len(images),
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                overflow_fix=nncf.OverflowFix.ENABLE,
                smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(convolution=smoothing)), **settings)

    def loss(result):
        return before.miou - _score(_compiled(core, result, size), frames, size).miou

    result = calibrated()
    lost, is_smoothed = loss(result), False
    if lost > TARGET_LOSS:
        progress('{:.2f} points of mIOU are lost; trying with sums of feature maps in float, channels scaled to '
                 'similar ranges, and weights rounded together'.format(lost))
        # For transformers NNCF leaves additions in float and balances channels; both help convolutions as well.
        result, is_smoothed = calibrated(0.5, model_type=nncf.ModelType.TRANSFORMER), True
        round_weights(openvino, result, model, (
            _input(dataset[i].image, size) for dataset, i in images[::-(-len(images) // IMAGES)]))
        lost = loss(result)
    if lost > TARGET_LOSS:
        progress('{:.2f} points of mIOU are lost; measuring which layers cost them'.format(lost))
        chosen = range(0, len(frames), -(-len(frames) // _RANKING_IMAGES))
        ranked = _ranked(core, result, [frames[i] for i in chosen], [before.labels[i] for i in chosen], size)
        whole = result
        for count in _IN_FLOAT:
            result = _with_float(whole, ranked[:count])
            lost = loss(result)
            progress('{:.2f} points of mIOU are lost with {} inputs in float'.format(lost, count))
            if lost <= TARGET_LOSS or count >= len(ranked):
                break
    content = pack(*_saved(openvino, result))
    # What is judged is what the robot will read.
    after = _score(_compiled(core, core.read_model(*unpack(content)), size), frames, size)
    lost = before.miou - after.miou
    equal = np.mean([np.mean(a == b) for a, b in zip(before.labels, after.labels)])
    return Quantized(content, lost, {
        'calibrated on': ['{} of {} images of {}'.format(
            sum(d is dataset for d, _ in images), len(dataset), dataset.name) for dataset in calibration],
        'held out': ['{} images of {}'.format(len(dataset), dataset.name) for dataset in held_out],
        'measure': 'mIOU of classes' if frames[0].comparison.by_class else 'mIOU of categories',
        'mIOU in fp32': round(before.miou, 2), 'mIOU in int8': round(after.miou, 2), 'mIOU lost': round(lost, 2),
        'labels as in fp32': round(100 * float(equal), 2), 'layers in float': _float_layers(result),
        'sums': 'in float' if is_smoothed else 'in int8',
        'overflow': _OVERFLOW_SAFE,
        'tools': 'OpenVINO {}, NNCF {}'.format(openvino.__version__.split('-')[0], nncf.__version__)})


class _Frame(typing.NamedTuple):
    """Image `number` of a dataset, with its comparison."""

    dataset: typing.Any
    number: int
    comparison: typing.Any


def _library(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ParameterError('quantizing needs the package {0}, which is not installed: pip install {0}'.format(name))


def _input(image, size):
    return np.ascontiguousarray(resize_image(image, *size)[None], np.float32)


def _quantizers(model):
    """Return what rounds inputs of layers to 8 bits, by name."""
    return {node.get_friendly_name(): node for node in model.get_ops() if node.get_type_name() == 'FakeQuantize'
            and node.input_value(0).get_node().get_type_name() != 'Constant'}


def _with_float(model, names):
    """Return a copy of a quantized model in which what the quantizers of these names round stays in float.

    OpenVINO computes the layers behind them in float then.
    """
    model = model.clone()
    quantizers = _quantizers(model)
    for name in names:
        for target in quantizers[name].output(0).get_target_inputs():
            target.replace_source_output(quantizers[name].input_value(0))
    return model


def _ranked(core, model, frames, labels, size):
    """Return the names of the quantizers, those first without which most labels are as in fp32."""
    def changed(name):
        found = _score(_compiled(core, _with_float(model, [name]), size), frames, size).labels
        return np.mean([np.mean(a != b) for a, b in zip(labels, found)])
    return sorted(_quantizers(model), key=changed)


def _compiled(core, model, size):
    model = model.clone()
    model.reshape([1, size[1], size[0], 3])
    model.remove_result(model.output('confidence').get_node())
    return core.compile_model(model, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})


def _score(compiled, frames, size):
    """Return the Score of a compiled model."""
    request = compiled.create_infer_request()
    confusion, labels = 0, []
    for frame in frames:
        item = frame.dataset[frame.number]
        request.infer({0: _input(item.image, size)})
        labels.append(request.get_output_tensor(0).data[0].copy())
        truth, found = aligned(frame.comparison, item.labels, labels[-1])
        confusion = confusion + confusion_matrix(truth, found, frame.comparison.size)
    return Score(100 * _miou(confusion, frames[0].comparison), labels)


def _miou(confusion, comparison):
    return mean(iou(confusion if comparison.by_class else category_confusion(confusion, comparison.label_set)))


def _saved(openvino, model):
    """Return a model as OpenVINO's XML and weights, bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'model.xml')
        openvino.save_model(model, path, compress_to_fp16=False)
        return tuple(pathlib.Path(path).with_suffix(suffix).read_bytes() for suffix in ('.xml', '.bin'))


def _float_layers(model):
    """Return the names of the convolutions that compute in float."""
    return sorted(
        operation.get_friendly_name() for operation in model.get_ops()
        if operation.get_type_name() in ('Convolution', 'GroupConvolution', 'ConvolutionBackpropData')
        and not _is_quantized(operation.input_value(0).get_node()))


def _is_quantized(node):
    """Whether what a node gives was rounded to 8 bits, or is put together of such parts."""
    if node.get_type_name() == 'Concat':
        return all(_is_quantized(value.get_node()) for value in node.input_values())
    if node.get_type_name() in _ONLY_MOVING:
        return _is_quantized(node.input_value(0).get_node())
    return node.get_type_name() == 'FakeQuantize'


def split(datasets):
    """Return datasets without every fifth image, and the same of every fifth image alone."""
    return tuple([_Part(dataset, is_fifth) for dataset in datasets] for is_fifth in (False, True))


class _Part(Dataset):
    """Every fifth image of a dataset, or all others."""

    def __init__(self, dataset, is_fifth):
        super().__init__('{}, {}'.format(dataset.name, 'every fifth' if is_fifth else 'without every fifth'),
                         dataset.label_set)
        self._dataset = dataset
        self._numbers = [i for i in range(len(dataset)) if (i % 5 == 4) == is_fifth]

    def __len__(self):
        return len(self._numbers)

    def _read(self, i):
        return self._dataset[self._numbers[i]]

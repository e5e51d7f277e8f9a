"""A model card for an ONNX file: from what the file says, and from what it answers to a picture."""
import importlib
import json
import typing

import cv2
import numpy as np

from espnet_ros.engine.onnxruntime_engine import runtime, session
from espnet_ros.engine.select import build_engine
from espnet_ros.engine.verification import example_images
from espnet_ros.errors import EngineError, LabelError, ModelError, one_line
from espnet_ros.labels import UNLABELED, label_set_from_dict
from espnet_ros.models.card import ONNX_SIDES, ModelCard, good_sides
from espnet_ros.models.onnx_file import STRIDES, TYPES, OnnxNetwork, check_model, check_sizes, onnx_config

SIZE = (1024, 512)
"""Width and height of the input where neither the file nor the user says one."""
IMAGENET_MEAN, IMAGENET_STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)
"""B, G, R on the scale 0..255: what networks of torchvision and transformers are trained with."""
SURER = 0.03
"""By how much a network must be surer of an image with swapped channels for its card to be suspected."""


class Wishes(typing.NamedTuple):
    """What the user says of a file; None or '' where it is to be found out.

    label_set: LabelSet. outputs: class id of each output, 255 for none. size: width and height. mean, std: B, G, R on
    the scale 0..255. channels: RGB or BGR. input, output: names of tensors.
    """

    label_set: typing.Any = None
    outputs: typing.Optional[typing.Tuple[int, ...]] = None
    size: typing.Optional[typing.Tuple[int, int]] = None
    mean: typing.Optional[typing.Tuple[float, float, float]] = None
    std: typing.Optional[typing.Tuple[float, float, float]] = None
    divisor: float = 1.0
    channels: str = 'RGB'
    input: str = ''
    output: str = ''


def draft(content, where, name, sha256, wishes=Wishes()):
    """Return (ModelCard, notes) for the bytes of an ONNX file; the notes say what was assumed.

    where: the file, for messages. name: of the model. Raises ModelError, EngineError, LabelError.
    """
    facts = check_model(content, where)
    source, result = _pick(facts.inputs, wishes.input, 'input', where), _pick(facts.outputs, wishes.output, '', where)
    layout, (width, height) = _layout(source, wishes.size, where)
    if source.type not in TYPES:
        raise ModelError("the network '{}' takes an input of {}; it must be one of {}".format(
            where, source.type, ', '.join(TYPES)))
    label_set = wishes.label_set or _described(facts.metadata, where)
    notes = []
    if len(facts.outputs) > 1 and not wishes.output:
        notes.append('the file has the outputs {}; the card takes {} (--output)'.format(
            _names(facts.outputs), result.name[:40]))
    if None in source.shape and not wishes.size:
        notes.append('the file takes any size; the card says {}x{} (--size)'.format(width, height))
    mean, std = wishes.mean, wishes.std
    if mean is None or std is None:
        bytes_in = source.type == 'uint8'
        mean = mean or ((0.0, 0.0, 0.0) if bytes_in else IMAGENET_MEAN)
        std = std or ((1.0, 1.0, 1.0) if bytes_in else IMAGENET_STD)
        notes.append('the file does not say how images are normalized; the card says {} (--mean, --std)'.format(
            'not at all' if bytes_in else 'as for ImageNet'))
    config = onnx_config({'input': source.name, 'layout': layout, 'type': source.type, 'channels': wishes.channels,
                          'output': result.name})
    shape = (1, 3, height, width) if layout == 'NCHW' else (1, height, width, 3)
    check_sizes(content, shape, where)
    pixels = example_images(width, height)[0].astype(np.float32)
    answer = _run(content, config, ((pixels - np.float32(mean)) / np.float32(std) / np.float32(wishes.divisor)))
    config = _understood(config, answer, label_set, wishes.outputs, width, height, where)
    outputs = wishes.outputs or label_set.ids[:config.classes] + (UNLABELED,) * (config.classes - len(label_set.ids))
    if not wishes.outputs and config.classes > len(label_set.ids):
        notes.append('{} outputs for {} classes: the last {} are unlabeled in the card (--outputs)'.format(
            config.classes, len(label_set.ids), config.classes - len(label_set.ids)))
    if config.kind == 'logits' and answer.min() >= 0 and answer.max() <= 1:
        notes.append('outputs are within 0 and 1 but do not add up to 1: they are taken for logits, so that labels are '
                     'right and confidence is too low')
    if not wishes.outputs and config.kind != 'labels' and config.classes < len(label_set.ids):
        notes.append('{} outputs for {} classes: the card takes them for the first {} (--outputs)'.format(
            config.classes, len(label_set.ids), config.classes))
    if len(outputs) != config.classes:
        raise ModelError("the network '{}' has {} outputs, not {}; name the class id of each, or {}, with --outputs"
                         .format(where, config.classes, len(outputs), UNLABELED))
    return ModelCard(
        name=name, description='ONNX network', architecture=config, label_set=label_set, outputs=tuple(outputs),
        input_width=width, input_height=height, mean=mean, std=std,
        divisor=float(wishes.divisor), license='', source='', training={}, results={}, weights=name + '.onnx',
        sha256=sha256, parameters=facts.parameters), notes


def suspicions(card, content):
    """Return (sentences about what looks wrong, labels and picture of the last run); runs the network on pictures.

    Labels are uint8 [H, W], the picture BGR uint8 [H, W, 3]. Raises EngineError.
    """
    pictures = example_images(card.input_width, card.input_height)
    engine = _engine(card, content)
    runs = [engine.run(picture, True) for picture in pictures]
    labels = [labels for labels, _ in runs]
    found = []
    if len(np.unique(np.stack(labels))) == 1:
        found.append('every pixel of two street scenes is of one class ({}): the normalization, or the order of '
                     'classes, may be wrong'.format(_class_name(card, int(labels[0].flat[0]))))
    if card.architecture.kind != 'labels':
        other = {'RGB': 'BGR', 'BGR': 'RGB'}[card.architecture.channels]
        swapped = _engine(card._replace(architecture=card.architecture._replace(channels=other)), content)
        sure, sure_swapped = (np.mean([run(picture)[1].mean() / 255 for picture in pictures]) for run in (
            lambda picture: engine.run(picture, True), lambda picture: swapped.run(picture, True)))
        if sure_swapped > sure + SURER:
            found.append('it is surer of images whose channels are swapped ({:.0f}% instead of {:.0f}%): --channels {}'
                         .format(100 * sure_swapped, 100 * sure, other))
    return found, labels[-1], pictures[-1]


def _engine(card, content):
    return build_engine(card, OnnxNetwork(card.architecture, content), card.input_width, card.input_height,
                        device='cpu', precision='fp32')


def _class_name(card, class_id):
    return next((each.name for each in card.label_set.classes if each.id == class_id), 'unlabeled')


def _pick(tensors, name, what, where):
    """Return the Tensor of that name; without one the only one, or the first output with four sides."""
    found = [tensor for tensor in tensors if tensor.name == name] if name else list(tensors)
    if not name and what != 'input' and len(found) > 1:
        found = [tensor for tensor in found if len(tensor.shape) == 4][:1]
    if len(found) != 1:
        raise ModelError("the network '{}' has the {}s {}; name one with --{}".format(
            where, what or 'output', _names(tensors) or '(none)',
            what or 'output'))
    return found[0]


def _names(tensors):
    return ', '.join(tensor.name[:40] for tensor in tensors)[:200]


def _layout(source, size, where):
    """Return (layout, (width, height)) of the input."""
    shape = source.shape
    if len(shape) != 4 or shape[0] not in (None, 1) or not (shape[1] in (None, 3) or shape[3] == 3):
        raise ModelError("the network '{}' takes an input of {}; it must be one image (a batch of 1) of three "
                         "channels; export it again so".format(
                             where, 'x'.join('?' if side is None else str(side) for side in shape)))
    layout = 'NHWC' if shape[3] == 3 and shape[1] != 3 else 'NCHW'
    height, width = shape[2:] if layout == 'NCHW' else shape[1:3]
    for side, wished in zip((width, height), size or (None, None)):
        if side and wished and side != wished:
            raise ModelError("the network '{}' takes {}x{} only".format(where, width, height))
    wished = size or SIZE
    sides = width or wished[0], height or wished[1]
    for side in sides:
        if side not in ONNX_SIDES:
            raise ModelError("the network '{}' takes an input of {}x{}; sides must be {}: export it for another size"
                             .format(where, *sides, good_sides(ONNX_SIDES, side)))
    return layout, sides


def _described(metadata, where):
    """Return the LabelSet that the file's metadata describe."""
    if 'label_set' not in metadata:
        raise ModelError("the network '{}' does not say what its classes are; name a label set with --labels".format(
            where))
    try:
        return label_set_from_dict(json.loads(metadata['label_set'][:1 << 20]), "the metadata of '{}'".format(where))
    except (ValueError, RecursionError, LabelError) as error:
        raise ModelError("the network '{}' describes its classes in a way that makes no sense ({}); name a label set "
                         'with --labels'.format(where, one_line(error)[:150]))


def _run(content, config, pixels):
    """Return the output of a file for normalized pixels, B, G, R float32 [H, W, 3]."""
    if config.channels == 'RGB':
        pixels = pixels[:, :, ::-1]
    tensor = pixels.transpose(2, 0, 1) if config.layout == 'NCHW' else pixels
    tensor = np.ascontiguousarray(tensor[None]).astype(config.type)
    try:
        package = runtime()
    except EngineError:
        return _run_openvino(content, config, tensor)
    try:
        return session(package, content).run([config.output], {config.input: tensor})[0]
    except EngineError:
        raise
    except Exception as error:  # of many kinds, all its own
        raise EngineError('ONNX Runtime cannot run it: ' + one_line(error))


def _run_openvino(content, config, tensor):
    try:
        openvino = importlib.import_module('openvino')
    except ImportError:
        raise EngineError('an ONNX network needs a runtime: pip install onnxruntime, or openvino')
    try:
        compiled = openvino.Core().compile_model(openvino.Core().read_model(content), 'CPU')
        return compiled({config.input: tensor})[config.output]
    except RuntimeError as error:
        raise EngineError('OpenVINO cannot run it: ' + one_line(error))


def _understood(config, answer, label_set, outputs, width, height, where):
    """Return the config with kind, classes, layout and stride of what the file has answered."""
    given = len(outputs) if outputs else 0
    if answer.dtype.kind not in 'iubf':
        raise ModelError("the network '{}' answers with {}, not with numbers; name another output with --output".format(
            where, answer.dtype))
    if not np.isfinite(answer).all():
        raise ModelError("the network '{}' answers with NaN or infinity; its normalization is not this one".format(
            where))
    if answer.dtype.kind in 'iub' or (answer.ndim == 4 and 1 in (answer.shape[1], answer.shape[3])) or answer.ndim < 4:
        sides = [side for side in answer.shape if side != 1]
        stride = _stride(sides, width, height) if len(sides) == 2 else None
        if stride is None:
            raise _unfit(answer, width, height, where)
        if (answer != np.rint(answer)).any():
            raise ModelError("the network '{}' answers with one number a pixel ({:.3g} to {:.3g}), which is no class "
                             'id: export it with ids, such as (x > threshold).to(torch.uint8), or a channel a class'
                             .format(where, answer.min(), answer.max()))
        values = given or max(len(label_set.ids), int(answer.max()) + 1)
        if not 1 <= values <= 256:
            raise ModelError("the network '{}' answers with labels up to {}, more than 255".format(where, values - 1))
        return config._replace(kind='labels', classes=values, stride=stride)
    found = []
    for layout, classes, sides in (('NCHW', answer.shape[1], answer.shape[2:]),
                                   ('NHWC', answer.shape[3], answer.shape[1:3])):
        stride = _stride(sides, width, height)
        if answer.shape[0] == 1 and stride is not None and classes <= 256:
            found.append((abs(classes - (given or len(label_set.ids))), layout, classes, stride))
    if not found:
        raise _unfit(answer, width, height, where)
    _, layout, classes, stride = min(found)
    sums = answer.sum(1 if layout == 'NCHW' else 3, dtype=np.float32)
    probable = answer.min() >= 0 and np.abs(sums - 1).max() < 1e-2
    return config._replace(kind='probabilities' if probable else 'logits', output_layout=layout, classes=int(classes),
                           stride=stride)


def _stride(sides, width, height):
    """Return the input pixels per output pixel, None where the sides do not fit."""
    return next((stride for stride in STRIDES if (height, width) == tuple(side * stride for side in sides)), None)


def _unfit(answer, width, height, where):
    return ModelError("the network '{}' answers with {} to an image of {}x{}: the sizes do not fit a stride of {}"
                      .format(where, 'x'.join(map(str, answer.shape)), width, height,
                              ', '.join(map(str, STRIDES))))


def picture_of(labels, picture, card):
    """Return the overlay of labels on the picture they are of, BGR uint8 [H, W, 3]."""
    from espnet_ros.images.render import colorize, overlay
    color = colorize(labels, card.label_set.palette()[:, ::-1])
    return overlay(cv2.resize(picture, labels.shape[::-1]), color, 0.5, labels)

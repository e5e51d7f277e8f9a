"""ONNX files: what they say of themselves, and that others than PyTorch find its labels with them."""
import json
import sys

import cv2
import numpy as np
import pytest
import torch
from small_models import CARD, CONFIG, LABELS, network

from espnet_ros import __version__, models
from espnet_ros.deploy import OPSET, OPSETS
from espnet_ros.deploy import onnx as export
from espnet_ros.deploy.deploy import Deployed
from espnet_ros.deploy.onnx import export_onnx, onnx_model
from espnet_ros.errors import ModelError
from espnet_ros.labels import label_set_from_dict
from espnet_ros.network import VARIANTS

onnx = pytest.importorskip('onnx')

IMAGE = np.random.RandomState(3).randint(0, 256, (64, 96, 3)).astype(np.uint8)


def execute(content, image):
    """What ONNX Runtime says: a list of outputs."""
    runtime = pytest.importorskip('onnxruntime')
    session = runtime.InferenceSession(content, providers=['CPUExecutionProvider'])
    return session.run(None, {'image': image[None]})


def plain(net, card, image):
    """Labels and confidence of the plain network."""
    with torch.no_grad():
        return [result.numpy() for result in Deployed(net, card).eval()(
            torch.from_numpy(image.transpose(2, 0, 1)[None].copy()), True)]


def described(value):
    kind = value.type.tensor_type
    return value.name, kind.elem_type, [d.dim_value for d in kind.shape.dim]


def test_inputs_and_outputs():
    model = onnx.load_model_from_string(onnx_model(CARD, network(), 96, 64, confidence=True))
    assert [described(v) for v in model.graph.input] == [('image', onnx.TensorProto.UINT8, [1, 64, 96, 3])]
    assert [described(v) for v in model.graph.output] == [
        ('labels', onnx.TensorProto.UINT8, [1, 64, 96]), ('confidence', onnx.TensorProto.UINT8, [1, 64, 96])]
    assert model.graph.input[0].doc_string == 'image: BGR, uint8, [1, height, width, 3]'
    model = onnx.load_model_from_string(onnx_model(CARD, network(), 96, 64, dtype=torch.float32))
    assert [described(v) for v in model.graph.input] == [('image', onnx.TensorProto.FLOAT, [1, 64, 96, 3])]
    assert [v.name for v in model.graph.output] == ['labels']


def test_images_are_turned_around_once_and_labels_as_bytes():
    graph = onnx.load_model_from_string(onnx_model(CARD, network(), 96, 64)).graph
    turned = [node for node in graph.node if node.op_type == 'Transpose']
    assert len(turned) == 2  # after the normalization, and to put the labels of four pixels into their places
    first = next(node for node in graph.node if turned[0].input[0] in node.output)
    assert first.op_type == 'Add' and list(turned[0].attribute[0].ints) == [0, 3, 1, 2]
    types = {v.name: v.type.tensor_type.elem_type for v in onnx.shape_inference.infer_shapes(
        onnx.load_model_from_string(onnx_model(CARD, network(), 96, 64))).graph.value_info}
    assert types[turned[1].input[0]] == onnx.TensorProto.UINT8


def test_metadata_say_what_the_card_says():
    model = onnx.load_model_from_string(onnx_model(CARD, network(), 96, 64))
    properties = {p.key: p.value for p in model.metadata_props}
    assert label_set_from_dict(json.loads(properties['label_set'])) == LABELS
    assert json.loads(properties['normalization']) == {
        'inside': True, 'channels': 'BGR', 'mean': [72.0, 83.0, 73.5], 'std': [45.0, 46.25, 44.5], 'divisor': 2.0}
    assert (properties['model'], properties['weights_sha256'], properties['license']) == ('small', '0' * 64, 'MIT')
    assert (model.producer_name, model.producer_version, model.graph.name) == ('espnet_ros', __version__, 'small')
    assert model.doc_string == 'for tests' and '255 = unlabeled' in properties['output']


@pytest.mark.parametrize('variant', VARIANTS)
def test_labels_and_confidence_are_those_of_pytorch(variant):
    net = network(CONFIG._replace(variant=variant))
    labels, confidence = execute(onnx_model(CARD, net, 96, 64, confidence=True), IMAGE)
    wanted = plain(net, CARD, IMAGE)
    assert (labels == wanted[0]).mean() >= 0.999 and len(np.unique(labels)) > 1
    assert np.abs(confidence.astype(int) - wanted[1]).max() <= 1


def test_floats_give_the_labels_of_bytes():
    content = onnx_model(CARD, network(), 96, 64, dtype=torch.float32)
    labels = execute(content, IMAGE.astype(np.float32))[0]
    assert (labels == plain(network(), CARD, IMAGE)[0]).mean() >= 0.999


@pytest.mark.parametrize('opset', [OPSETS[0], OPSET, 17, OPSETS[-1]])
def test_opsets(opset):
    content = onnx_model(CARD, network(), 96, 64, opset)
    assert [o.version for o in onnx.load_model_from_string(content).opset_import] == [opset]
    assert (execute(content, IMAGE)[0] == plain(network(), CARD, IMAGE)[0]).mean() >= 0.999


@pytest.mark.parametrize('opset', [10, 21, 0, -1, None, '13', 13.5])
def test_opsets_that_are_none_are_refused(opset):
    with pytest.raises(ModelError, match='opset .* is none of 11 to 20'):
        onnx_model(CARD, network(), 96, 64, opset)


def test_slopes_have_four_dimensions():
    # Otherwise OpenVINO takes twice as long.
    graph = onnx.load_model_from_string(onnx_model(CARD, network(), 96, 64)).graph
    shapes = {c.name: list(c.dims) for c in graph.initializer}
    for node in graph.node:
        if node.op_type == 'Identity':  # of constants that are equal, the exporter keeps one
            shapes[node.output[0]] = shapes[node.input[0]]
    slopes = [shapes[node.input[1]] for node in graph.node if node.op_type == 'PRelu']
    assert len(slopes) == 12 and all(len(s) == 4 and s[::2] == [1, 1] for s in slopes)


def test_the_network_stays_as_it_is():
    net = network().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    onnx_model(CARD, net, 96, 64)
    assert net.training and all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert isinstance(net.encoder.reinforce.pool, torch.nn.AvgPool2d)


def test_a_file_is_written_whole_and_verified(tmp_path):
    pytest.importorskip('onnxruntime')
    path = tmp_path / 'small.onnx'
    assert export_onnx(CARD, network(), 96, 64, path) is True
    assert path.read_bytes() == onnx_model(CARD, network(), 96, 64)
    assert [p.name for p in tmp_path.iterdir()] == ['small.onnx']


def test_without_onnx_runtime_it_is_written_unverified(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    assert export_onnx(CARD, network(), 96, 64, tmp_path / 'small.onnx') is False
    onnx.checker.check_model(str(tmp_path / 'small.onnx'))


def test_without_onnx_one_sentence_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnx', None)
    with pytest.raises(ModelError, match=r'^exporting needs the package onnx: pip install onnx$'):
        export_onnx(CARD, network(), 96, 64, tmp_path / 'small.onnx')
    assert not list(tmp_path.iterdir())


def test_wrong_labels_are_not_written_over_a_good_file(tmp_path, monkeypatch):
    pytest.importorskip('onnxruntime')
    path = tmp_path / 'small.onnx'
    path.write_bytes(b'good')
    fold = export.fold
    monkeypatch.setattr(export, 'fold', lambda net: fold(network(seed=1)))
    with pytest.raises(ModelError, match=r'finds other labels than PyTorch on \d+\.\d\d% of the pixels'):
        export_onnx(CARD, network(), 96, 64, path)
    assert path.read_bytes() == b'good' and [p.name for p in tmp_path.iterdir()] == ['small.onnx']


def test_what_the_exporter_cannot_do_is_one_sentence(monkeypatch):
    def failing(*arguments, dynamo=False, **settings):
        raise RuntimeError('no operator\nwith that name')
    monkeypatch.setattr(torch.onnx, 'export', failing)
    with pytest.raises(ModelError, match='^PyTorch .* cannot export small at 96x64 with ONNX opset 13: no operator '
                                         'with that name$'):
        onnx_model(CARD, network(), 96, 64)


def test_places_where_nothing_can_be_written(tmp_path):
    (tmp_path / 'folder').mkdir()
    for path in (tmp_path / 'missing' / 'a.onnx', tmp_path / 'folder'):
        with pytest.raises(ModelError, match="cannot write '{}'".format(path)):
            export_onnx(CARD, network(), 96, 64, path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['folder']


@pytest.mark.parametrize('weights, size, image', [
    ('espnet/espnet_p_2_q_8.pth', (1024, 512), 'cityscapes_samples/frankfurt_000000_000294_leftImg8bit.png'),
    ('espnet_c/espnet_p_2_q_3.pth', (1024, 512), 'cityscapes_samples/frankfurt_000000_000576_leftImg8bit.png'),
    ('espnet/espnet_p_2_q_8_camvid.pth', (480, 360), 'camvid/val/0016E5_07959.png')])
def test_the_authors_networks_on_real_images(shared, weights, size, image):
    model = models.find(shared / 'weights' / weights)
    pixels = cv2.resize(cv2.imread(str(shared / 'data' / image)), size)
    net = models.load(model)
    labels = execute(onnx_model(model.card, net, *size), pixels)[0]
    assert (labels == plain(net, model.card, pixels)[0]).mean() >= 0.999

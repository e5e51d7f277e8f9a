"""`espnet-ros models add NET.onnx`: the card it writes, what it finds suspicious, and what then runs it."""
import json

import cv2
import numpy as np
import pytest

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
import onnx_files  # noqa: E402
from onnx_files import HEIGHT, WIDTH, classifier  # noqa: E402

from espnet_ros import models  # noqa: E402
from espnet_ros.cli import main  # noqa: E402
from espnet_ros.engine import build_engine  # noqa: E402
from espnet_ros.errors import ModelError  # noqa: E402
from espnet_ros.labels import label_set_to_dict, load_label_set  # noqa: E402
from espnet_ros.models.card import write_card  # noqa: E402
from espnet_ros.models.checkpoint import sha256_of  # noqa: E402
from espnet_ros.segmenter import Segmenter, input_size  # noqa: E402

pytestmark = pytest.mark.slow
LABELS = """name: colors
classes:
- {id: 4, name: red, color: [255, 0, 0], category: object}
- {id: 7, name: green, color: [0, 255, 0], category: object}
- {id: 9, name: blue, color: [0, 0, 255], category: object}
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with a label set; added models go to another."""
    monkeypatch.setenv('ESPNET_ROS_MODELS', str(tmp_path / 'added'))
    monkeypatch.setenv('ESPNET_ROS_CACHE', str(tmp_path / 'cache'))
    (tmp_path / 'colors.yaml').write_text(LABELS)
    return tmp_path


def add(files, content, *options):
    (files / 'net.onnx').write_bytes(content)
    return main(['models', 'add', str(files / 'net.onnx'), '--labels', str(files / 'colors.yaml'), *options])


PLAIN = '--mean', '0', '0', '0', '--std', '1', '1', '1'


def squares():
    """BGR uint8 [HEIGHT, WIDTH, 3] of pure colors, and their class ids."""
    rng = np.random.RandomState(0)
    channel = rng.randint(0, 3, (HEIGHT // 8, WIDTH // 8)).repeat(8, 0).repeat(8, 1)
    return (np.eye(3)[channel] * 200).astype(np.uint8), np.array([9, 7, 4], np.uint8)[channel]  # B, G, R


@pytest.mark.parametrize('settings', [
    {}, {'kind': 'probabilities'}, {'opset': 11}, {'kind': 'labels'}, {'layout': 'NHWC', 'output_layout': 'NHWC'},
    {'dtype': 'uint8', 'layout': 'NHWC', 'kind': 'labels'}, {'dtype': 'float16'}, {'stride': 4},
    {'stride': 8, 'kind': 'labels'}, {'opset': 18}, {'dynamic': True}], ids=lambda s: ' '.join(map(str, s.values())))
@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
def test_every_kind_of_file_gives_the_right_labels(files, settings, backend):
    pytest.importorskip(backend)
    size = ['--size', '{}x{}'.format(WIDTH, HEIGHT)] if settings.get('dynamic') else []
    assert add(files, classifier(**settings), *PLAIN, *size) == 0
    model = models.find('net')
    config = model.card.architecture
    assert (config.kind, config.layout, config.stride, config.classes) == (
        settings.get('kind', 'logits'), settings.get('layout', 'NCHW'), settings.get('stride', 1), 3)
    assert (model.card.input_width, model.card.input_height, model.card.outputs) == (WIDTH, HEIGHT, (4, 7, 9))
    engine = build_engine(model.card, models.load(model), WIDTH, HEIGHT, backend, 'cpu', 'fp32', strict=True)
    image, wanted = squares()
    labels, confidence = engine.run(image, True)
    if settings.get('stride', 1) == 1 or config.kind == 'labels':
        assert np.array_equal(labels, wanted)
    else:  # upsampled logits are right in the middle of the squares
        assert (labels == wanted)[4::8, 4::8].all()
    assert confidence.shape == labels.shape and confidence.min() > 80


@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
def test_sides_may_be_odd(files, backend):
    pytest.importorskip(backend)
    assert add(files, classifier(dynamic=True), *PLAIN, '--size', '101x67') == 0
    model = models.find('net')
    engine = build_engine(model.card, models.load(model), *input_size(model.card), backend, 'cpu', 'fp32', strict=True)
    image = cv2.resize(squares()[0], (200, 90), interpolation=cv2.INTER_NEAREST)
    labels = Segmenter(engine).segment(image).labels
    wanted = np.array([9, 7, 4], np.uint8)[image.argmax(2)]
    assert (engine.width, engine.height, labels.shape) == (101, 67, (90, 200)) and (labels == wanted).mean() > 0.8


def test_it_says_what_it_assumes_and_what_looks_wrong(files, capsys):
    assert add(files, classifier(classes=4), '--overlay', str(files / 'overlay.png')) == 0
    out = capsys.readouterr().out
    assert 'net: 96x64, RGB NCHW, 4 logits at 1/1' in out
    assert 'the card says as for ImageNet (--mean, --std)' in out
    assert '4 outputs for 3 classes: the last 1 are unlabeled' in out
    assert models.find('net').card.outputs == (4, 7, 9, 255) and str(files / 'added' / 'net.onnx') in out
    assert cv2.imread(str(files / 'overlay.png')).shape == (HEIGHT, WIDTH, 3)


def test_sides_may_all_be_open(files):
    size = '--size', '{}x{}'.format(WIDTH, HEIGHT)
    assert add(files, classifier(change=onnx_files.open_sides), *PLAIN, *size) == 0
    model = models.find('net')
    assert (model.card.architecture.layout, model.card.architecture.classes) == ('NCHW', 3)
    image, wanted = squares()
    engine = build_engine(model.card, models.load(model), WIDTH, HEIGHT, 'onnxruntime', 'cpu', 'fp32', strict=True)
    assert np.array_equal(engine.run(image)[0], wanted)


def test_it_says_which_of_several_outputs_it_takes_and_that_sigmoids_are_no_probabilities(files, capsys):
    def change(model):
        onnx_files.sigmoids(model)
        model.graph.output.add().CopyFrom(model.graph.input[0])
        model.graph.output[-1].name = 'floats'
    (files / 'net.onnx').write_bytes(classifier(change=change))
    assert main(['models', 'add', str(files / 'net.onnx'), '--labels', 'camvid', *PLAIN]) == 0
    out = capsys.readouterr().out
    assert 'the file has the outputs answer, floats; the card takes answer (--output)' in out
    assert 'within 0 and 1 but do not add up to 1' in out
    assert '3 outputs for 11 classes: the card takes them for the first 3 (--outputs)' in out


@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
def test_labels_below_0_are_unlabeled(files, backend):
    pytest.importorskip(backend)
    assert add(files, classifier(kind='labels', change=onnx_files.two_less), *PLAIN) == 0
    model = models.find('net')
    engine = build_engine(model.card, models.load(model), WIDTH, HEIGHT, backend, 'cpu', 'fp32', strict=True)
    image, wanted = squares()
    assert np.array_equal(engine.run(image)[0], np.where(wanted == 9, 4, 255))


@pytest.mark.parametrize('backend', ['onnxruntime', 'openvino'])
@pytest.mark.parametrize('kind', ['logits', 'probabilities', 'labels'])
def test_nan_is_unlabeled_or_without_confidence(files, kind, backend):
    pytest.importorskip(backend)
    assert add(files, classifier(kind=kind, change=onnx_files.not_a_number_in_the_dark), *PLAIN) == 0
    model = models.find('net')
    engine = build_engine(model.card, models.load(model), WIDTH, HEIGHT, backend, 'cpu', 'fp32', strict=True)
    image, wanted = squares()
    image[:16] = 0
    labels, confidence = engine.run(image, True)
    assert np.array_equal(labels[16:], wanted[16:]) and confidence[16:].min() > 80
    assert (labels[:16] == 255).all() if kind == 'labels' else (confidence[:16] == 0).all()
    seen = Segmenter(engine).segment(image, threshold=0.1).labels
    assert (seen[:16] == 255).all() and np.array_equal(seen[16:], wanted[16:])


def test_a_label_set_may_have_the_networks_name(files):
    (files / 'net.yaml').write_text(LABELS)
    (files / 'net.onnx').write_bytes(classifier())
    assert main(['models', 'add', str(files / 'net.onnx'), '--labels', str(files / 'net.yaml'), *PLAIN]) == 0
    assert models.find('net').card.label_set.names == ('red', 'green', 'blue')


def test_a_file_whose_weights_are_beside_it_is_added_as_one_file(files, capsys):
    path = files / 'net.onnx'
    options = '--labels', str(files / 'colors.yaml'), *PLAIN
    onnx_files.save_in_two(path, classifier())
    assert main(['models', 'add', str(path), *options]) == 0
    assert sorted(each.name for each in (files / 'added').iterdir()) == ['net.onnx', 'net.yaml']
    added = models.find('net')
    assert sha256_of(added.weights_path) == added.card.sha256 != sha256_of(path)
    assert main(['models', 'add', str(path), *options]) == 0  # again: it is the same
    # A card by hand names the file that lacks the weights.
    write_card(added.card._replace(sha256=sha256_of(path)), files / 'net.yaml')
    with pytest.raises(ModelError, match='this makes it one: espnet-ros models add'):
        models.load(models.find(files / 'net.yaml'))
    for each in 'net.yaml', 'net.onnx':
        assert main(['models', 'remove', 'net']) == main(['models', 'add', str(files / each)]) == 0
        assert models.find('net') == added
    (files / 'net.onnx.data').rename(files / 'data')
    assert main(['models', 'remove', 'net']) == 0 and main(['models', 'add', str(path), *options]) == 1
    assert "'net.onnx.data', which cannot be read (No such file or directory)" in capsys.readouterr().err
    assert not list((files / 'added').iterdir())
    image, wanted = squares()
    (files / 'data').rename(files / 'net.onnx.data')
    assert main(['models', 'add', str(path), *options]) == 0
    engine = build_engine(added.card, models.load(models.find('net')), WIDTH, HEIGHT, 'onnxruntime', 'cpu', 'fp32',
                          strict=True)
    assert np.array_equal(engine.run(image)[0], wanted)


def test_one_class_everywhere_is_suspicious(files, capsys):
    def biased(model):
        model.graph.initializer[1].raw_data = np.array([0, 0, 1e4], np.float32).tobytes()
    assert add(files, classifier(change=biased), *PLAIN) == 0
    assert 'suspicious: every pixel of two street scenes is of one class (blue)' in capsys.readouterr().err


def test_swapped_channels_are_suspicious(files, capsys):
    def prefers_bgr(model):  # surer the more of the first channel there is: the sky is blue
        model.graph.initializer[0].raw_data = np.array([[.2, 0, -.2], [0, 0, 0], [0, 0, 0]], np.float32).tobytes()
    assert add(files, classifier(change=prefers_bgr), *PLAIN) == 0
    first = capsys.readouterr().err
    assert add(files, classifier(change=prefers_bgr), *PLAIN, '--channels', 'BGR', '--replace') == 0
    second = capsys.readouterr().err
    said = ['its channels' in text or 'channels are swapped' in text for text in (first, second)]
    assert said.count(True) == 1  # of two orders, at most one is the better


def test_a_file_that_describes_its_classes_needs_no_label_set(files, capsys):
    label_set = load_label_set(str(files / 'colors.yaml'))
    path = files / 'own.onnx'
    path.write_bytes(classifier(metadata={'label_set': json.dumps(label_set_to_dict(label_set))}))
    assert main(['models', 'add', str(path), *PLAIN]) == 0
    assert models.find('own').card.label_set == label_set
    assert main(['models', 'remove', 'own']) == 0 and not list((files / 'added').iterdir())


@pytest.mark.parametrize('content, options, words', [
    (classifier(change=onnx_files.huge_resize), (), 'makes a tensor of 1x3x128000x192000'),
    (classifier(change=onnx_files.loop), (), 'has a loop or branch'),
    (classifier()[:200], (), 'is cut off or damaged'),
    (classifier(change=onnx_files.text), (), 'answers with object, not with numbers'),
    (classifier(change=onnx_files.one_number), (), 'which is no class id: export it with ids'),
    (classifier(change=lambda model: (onnx_files.not_a_number(model), onnx_files.one_number(model))), (),
     'answers with NaN or infinity'), (classifier(change=onnx_files.not_a_number), (), 'answers with NaN or infinity'),
    (classifier(change=lambda model: model.graph.input[0].type.tensor_type.shape.dim[0].__init__(dim_value=4)), (),
     'takes an input of 4x3x64x96; it must be one image (a batch of 1) of three channels; export it again so'),
    (classifier(), ('--size', '128x64'), 'takes 96x64 only'),
    (classifier(dynamic=True), ('--size', '100x60'), 'takes an input of 100x60; sides must be from 64 to 4096'),
    (classifier(), ('--output', 'none'), 'has the outputs answer; name one with --output'),
    (classifier(), ('--outputs', '4', '7'), 'has 3 outputs, not 2'),
    (classifier(), ('--outputs', '4', '7', '8'), 'outputs must name 3 class ids of colors')])
def test_mistakes_get_a_sentence_and_add_nothing(files, capsys, content, options, words):
    assert add(files, content, *options) == 1
    error = capsys.readouterr().err
    assert error.startswith('espnet-ros: error: ') and words in error and error.count('\n') == 1
    assert not (files / 'added').exists() or not list((files / 'added').iterdir())


@pytest.mark.parametrize('metadata', [{}, {'label_set': '{'}, {'label_set': '[' * 10 ** 5}, {'label_set': '{"a": 1}'}])
def test_wrong_metadata_get_a_sentence(files, capsys, metadata):
    path = files / 'own.onnx'
    path.write_bytes(classifier(metadata=metadata))
    assert main(['models', 'add', str(path)]) == 1
    assert 'name a label set with --labels' in capsys.readouterr().err


def test_another_size_than_the_files_gets_a_sentence(files, capsys):
    assert add(files, classifier(), *PLAIN) == 0
    model = models.find('net')
    from espnet_ros.errors import EngineError
    with pytest.raises(EngineError, match='takes an input of 1x3x64x96, not 1x3x64x128; use the size in its card'):
        build_engine(model.card, models.load(model), 128, HEIGHT, 'onnxruntime', 'cpu', strict=True)


def test_predict_evaluate_and_benchmark_run_it_by_its_name(files, capsys):
    (files / 'net.onnx').write_bytes(classifier())
    assert main(['models', 'add', str(files / 'net.onnx'), '--labels', 'camvid', '--outputs', '0', '1', '2',
                 *PLAIN]) == 0
    image, _ = squares()
    cv2.imwrite(str(files / 'squares.png'), image)
    assert main(['predict', str(files / 'squares.png'), '--model', 'net', '--out', str(files / 'predicted')]) == 0
    labels = cv2.imread(str(files / 'predicted' / 'squares_labels.png'), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(labels, 2 - image.argmax(2))  # camvid's first three ids, for red, green and blue
    assert main(['evaluate', 'drive:3:96x64:1', '--model', 'net', '--out', str(files / 'evaluation')]) == 0
    metrics = json.loads((files / 'evaluation' / 'metrics.json').read_text())
    assert metrics['scoredFrames'] == 3 and 0 < metrics['pixelAccuracy'] < 1
    columns = np.array(metrics['confMatrix']).sum(0)  # categories of sky, building and pole, and nothing else
    assert columns.sum() == 3 * 96 * 64
    assert {name for name, i in metrics['labels'].items() if columns[i]} <= {'sky', 'construction', 'object'}
    capsys.readouterr()
    pytest.importorskip('openvino')
    assert main(['benchmark', '--models', 'net', '--backends', 'onnxruntime', 'openvino', '--repeats', '2', '--warmup',
                 '0', '--out', str(files / 'benchmark')]) == 0
    found = json.loads((files / 'benchmark' / 'benchmark.json').read_text())['measurements']
    assert [each['engine']['backend'] for each in found] == ['onnxruntime', 'openvino']
    assert all(each['agreement'] > 0.999 and not each['problem'] for each in found)

"""ONNX files as data: what they say, and a sentence for each that must not or cannot run."""
import numpy as np
import pytest

pytest.importorskip('onnx')
import onnx_files  # noqa: E402
from onnx_files import HEIGHT, WIDTH, classifier  # noqa: E402

from espnet_ros import models  # noqa: E402
from espnet_ros.errors import ModelError  # noqa: E402
from espnet_ros.models.card import card_from_dict, card_to_dict, write_card  # noqa: E402
from espnet_ros.models.checkpoint import sha256_of  # noqa: E402
from espnet_ros.models.onnx_file import (  # noqa: E402
    OnnxConfig,
    Tensor,
    check_model,
    check_sizes,
    load_onnx,
    onnx_config,
    read_content,
)

SHAPE = (1, 3, HEIGHT, WIDTH)


def test_what_a_file_says():
    facts = check_model(classifier(metadata={'author': 'me'}), 'x')
    assert facts.inputs == (Tensor('image', 'float32', SHAPE),)
    assert facts.outputs == (Tensor('answer', 'float32', (None,) * 4),)
    assert facts.metadata == {'author': 'me'} and facts.parameters == 12
    facts = check_model(classifier(dtype='uint8', layout='NHWC', dynamic=True), 'x')
    assert facts.inputs == (Tensor('image', 'uint8', (1, None, None, 3)),)
    check_sizes(classifier(), SHAPE, 'x')


@pytest.mark.parametrize('change, words', [
    (onnx_files.external, "keeps weights in another file ('../../etc/passwd'); save it as one file: python3 -c"),
    (onnx_files.huge_weights, "claims weights of 25000000000x1x1x1 ('weight') that are not in the file"),
    (onnx_files.custom_operator, "needs the custom operator 'com.evil.RunShell'"),
    (onnx_files.loop, "has a loop or branch ('Loop')"), (onnx_files.function, 'defines functions of its own'),
    (onnx_files.negative_side, "of a shape that makes no sense ('weight')"), (onnx_files.sparse, 'sparse weights'),
    (onnx_files.no_layers, 'is not an ONNX file, or is cut off or damaged (it has no layers)'),
    (onnx_files.old, 'is of ONNX opset 9; export it again with one from 11 to 24'),
    (onnx_files.shapeless, "has an input or output of no known shape ('image')")],
    ids=lambda value: getattr(value, '__name__', ''))
def test_hostile_files_get_a_sentence(change, words):
    with pytest.raises(ModelError) as caught:
        check_model(classifier(change=change), 'x.onnx')
    text = str(caught.value)
    assert text.startswith("the network 'x.onnx' ") and words in text and len(text) < 300, text


@pytest.mark.parametrize('change, words', [
    (onnx_files.huge_tensor, 'makes a tensor of 25000000000'),
    (onnx_files.huge_resize, 'makes a tensor of 1x3x128000x192000')], ids=['constant', 'resize'])
def test_tensors_of_100_gb_are_refused_before_anything_runs(change, words):
    content = classifier(change=change)
    check_model(content, 'x')
    with pytest.raises(ModelError) as caught:
        check_sizes(content, SHAPE, 'x.onnx')
    assert words in str(caught.value) and 'more than 2 GB' in str(caught.value)


def test_an_input_that_does_not_fit_gets_a_sentence():
    with pytest.raises(ModelError, match="the network 'x.onnx' does not fit an input of 1x3x64x96: "):
        check_sizes(classifier(change=onnx_files.unfit), SHAPE, 'x.onnx')


@pytest.mark.parametrize('content', [b'', b'\x08', b'\x7fELF' * 100, b'{}' * 50, classifier()[:200],
                                     bytes(range(256)) * 40])
def test_damaged_files_get_a_sentence(content):
    with pytest.raises(ModelError, match='is not an ONNX file, or is cut off or damaged'):
        check_model(content, 'x.onnx')


def test_every_cut_and_many_flipped_bytes_get_a_sentence_or_work():
    content = classifier()
    rng = np.random.RandomState(0)
    for n in range(150):
        damaged = bytearray(content[:rng.randint(len(content))] if n % 2 else content)
        for _ in range(3):
            if damaged:
                damaged[rng.randint(len(damaged))] = rng.randint(256)
        try:
            facts = check_model(bytes(damaged), 'x')
            assert isinstance(facts.parameters, int)
        except ModelError as error:
            assert len(str(error)) < 400


def test_files_are_read_within_bounds(tmp_path, monkeypatch):
    path = tmp_path / 'net.onnx'
    path.write_bytes(classifier())
    assert read_content(path) == classifier()
    network = load_onnx(OnnxConfig(classes=3), path)
    assert network.content == classifier() and network.config.classes == 3 and network.eval() is network
    monkeypatch.setattr('espnet_ros.models.onnx_file.MAX_BYTES', 100)
    with pytest.raises(ModelError, match='has more than 0 MB'):
        read_content(path)
    with pytest.raises(ModelError, match='is not a file'):
        read_content(tmp_path)
    with pytest.raises(ModelError, match='cannot read the network .* No such file'):
        read_content(tmp_path / 'none.onnx')


@pytest.mark.parametrize('fields, words', [
    ({'depth': 1}, "architecture has no field 'depth' in family onnx"), ({'classes': 0}, 'classes is 0'),
    ({'classes': 257}, '1..256'), ({'layout': 'HWC'}, 'one of NCHW, NHWC'), ({'type': 'float64'}, 'float32, float16'),
    ({'channels': 'rgb'}, 'RGB, BGR'), ({'kind': 'scores'}, 'logits, probabilities, labels'),
    ({'stride': 3}, '1, 2, 4, 8'), ({'input': 3}, 'the name of a tensor'), ({'output': 'x' * 300}, 'name of a tensor'),
    ({'output_layout': None}, 'output_layout is None')])
def test_wrong_fields_of_a_card_get_a_sentence(fields, words):
    with pytest.raises(ModelError) as caught:
        onnx_config(fields)
    assert words in str(caught.value) and len(str(caught.value)) < 300


def test_a_card_of_the_family_is_found_and_loaded(tmp_path):
    (tmp_path / 'net.onnx').write_bytes(classifier())
    card = models.untrained('espnet', classes=19)._replace(
        name='net', architecture=OnnxConfig(classes=19), weights='net.onnx', sha256=sha256_of(tmp_path / 'net.onnx'))
    assert card_from_dict(card_to_dict(card), 'x') == card and card_to_dict(card)['family'] == 'onnx'
    write_card(card, tmp_path / 'net.yaml')
    for path in ('net.yaml', 'net.onnx'):
        model = models.find(tmp_path / path)
        assert model.card == card and models.load(model).content == classifier()
    (tmp_path / 'net.onnx').write_bytes(classifier(classes=4))
    with pytest.raises(ModelError, match='are damaged or another model'):
        models.find(tmp_path / 'net.yaml')

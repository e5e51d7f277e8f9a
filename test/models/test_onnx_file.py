"""ONNX files as data: what they say, and a sentence for each that must not or cannot run."""
import os

import numpy as np
import pytest

onnx = pytest.importorskip('onnx')
import onnx_files  # noqa: E402
from onnx import TensorProto  # noqa: E402
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
    read_joined,
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
    (onnx_files.external, "keeps weights in another file ('../../etc/passwd'); this makes it one: espnet-ros models "),
    (onnx_files.sparse_constant, "sparse weights ('Constant')"),
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


def test_a_file_and_the_weights_beside_it_become_one(tmp_path):
    content, path = classifier(), tmp_path / 'net.onnx'
    onnx_files.save_in_two(path, content)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert set(before) == {'net.onnx', 'net.onnx.data'}
    joined = read_joined(path)
    whole, wanted = map(onnx.load_model_from_string, (joined, content))
    assert [onnx.numpy_helper.to_array(each).tolist() for each in whole.graph.initializer] == [
        onnx.numpy_helper.to_array(each).tolist() for each in wanted.graph.initializer]
    assert check_model(joined, 'x') == check_model(content, 'x') and read_joined(path) == joined
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before
    with pytest.raises(ModelError, match="another file .'net.onnx.data'.; this makes it one: espnet-ros models add '/"):
        load_onnx(OnnxConfig(classes=3), path)
    path.write_bytes(content)
    assert read_joined(path) == content


def test_constants_may_be_beside_the_file(tmp_path, monkeypatch):
    def constant(model):
        model.graph.node.append(onnx.helper.make_node(
            'Constant', [], ['c'], value=onnx.numpy_helper.from_array(np.arange(6, dtype=np.int64).reshape(2, 3))))
        onnx_files.put_outside(model.graph.node[-1].attribute[0].t, 'rest')
    (tmp_path / 'rest').write_bytes(np.arange(10, dtype='<i8').tobytes())
    (tmp_path / 'net.onnx').write_bytes(classifier(change=constant))
    monkeypatch.chdir(tmp_path)
    found = onnx.load_model_from_string(read_joined('net.onnx')).graph.node[-1].attribute[0].t
    assert np.array_equal(onnx.numpy_helper.to_array(found), np.arange(6).reshape(2, 3))


@pytest.mark.parametrize('location, entries, words', [
    ('../../etc/passwd', {}, "'../../etc/passwd'; they must be in a file beside it: export it again"),
    ('/etc/passwd', {}, 'in a file beside it'), ('', {}, 'in a file beside it'), ('..', {}, 'in a file beside it'),
    ('a/data', {}, 'in a file beside it'), ('a\0b', {}, 'in a file beside it'),
    ('x' * 5000, {}, 'cannot be read (File name too long)'),
    ('link', {}, 'cannot be read (it is a symbolic link); copy that file, too, into the folder'),
    ('pipe', {}, 'cannot be read (it is not a regular file)'), ('folder', {}, 'it is not a regular file'),
    ('missing', {}, 'cannot be read (No such file or directory); copy that file, too'),
    ('short', {}, 'which is cut off or of another network; copy both files again'),
    ('data', {'offset': '4'}, 'cut off or of another'), ('data', {'offset': '9' * 18}, 'cut off or of another'),
    ('data', {'offset': '-4'}, "not at a place or of a size that makes sense ('weight')"),
    ('data', {'offset': '9' * 5000}, 'not at a place'), ('data', {'offset': '0x0'}, 'not at a place'),
    ('data', {'length': '-36'}, 'not at a place'), ('data', {'length': '35'}, 'not at a place'),
    ('data', {'length': '9' * 5000}, 'not at a place'), ('data', {'offset': '٤'}, 'not at a place')])
def test_hostile_weights_beside_a_file_get_a_sentence(tmp_path, location, entries, words):
    (tmp_path / 'data').write_bytes(bytes(36))
    (tmp_path / 'short').write_bytes(bytes(35))
    (tmp_path / 'link').symlink_to('data')
    (tmp_path / 'folder').mkdir()
    os.mkfifo(str(tmp_path / 'pipe'))
    path = tmp_path / 'net.onnx'
    path.write_bytes(classifier(change=lambda model: onnx_files.external(model, location, **entries)))
    with pytest.raises(ModelError) as caught:
        read_joined(path)
    text = str(caught.value).replace(str(path), 'net.onnx')
    assert text.startswith("the network 'net.onnx' keeps weights in '") and words in text and len(text) < 300, text


def test_names_that_are_no_text_get_a_sentence(tmp_path):
    path = tmp_path / 'net.onnx'
    content = classifier(change=lambda model: onnx_files.external(model, 'data'))
    path.write_bytes(content.replace(b'data', b'\xff\xfe\xfd\xfc'))
    with pytest.raises(ModelError, match='keeps weights in .*xff.*cannot be read'):
        read_joined(path)
    path.write_bytes(classifier(change=lambda model: onnx_files.external(model, 'data', offset='1234')).replace(
        b'1234', b'\xff\xfe\xfd\xfc'))
    with pytest.raises(ModelError, match='not at a place'):
        read_joined(path)


@pytest.mark.parametrize('dims, kind, words', [
    ((25_000_000_000, 1, 1, 1), TensorProto.FLOAT, 'more than 1024 MB with its own'),
    ((1 << 62,) * 4, TensorProto.FLOAT, 'more than 1024 MB'), ((-1, 3), TensorProto.FLOAT, 'not at a place'),
    ((3,), TensorProto.STRING, 'not at a place'), ((3,), 99, 'not at a place')])
def test_weights_of_100_gb_are_refused_unread(tmp_path, dims, kind, words):
    def change(model):
        onnx_files.external(model, 'data')
        tensor = model.graph.initializer[0]
        tensor.dims[:], tensor.data_type = dims, kind
    with open(str(tmp_path / 'data'), 'wb') as stream:
        stream.truncate(100_000_000_000)  # holes take no space
    (tmp_path / 'net.onnx').write_bytes(classifier(change=change))
    with pytest.raises(ModelError) as caught:
        read_joined(tmp_path / 'net.onnx')
    assert words in str(caught.value)


def test_all_weights_together_are_within_the_bound(tmp_path, monkeypatch):
    path = tmp_path / 'net.onnx'
    onnx_files.save_in_two(path, classifier())
    monkeypatch.setattr('espnet_ros.models.onnx_file.MAX_BYTES', path.stat().st_size + 36 + 11)
    with pytest.raises(ModelError, match='more than 0 MB with its own; export a smaller one'):
        read_joined(path)
    monkeypatch.setattr('espnet_ros.models.onnx_file.MAX_BYTES', path.stat().st_size + 36 + 12)
    assert read_joined(path)


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

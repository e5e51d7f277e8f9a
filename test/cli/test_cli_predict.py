"""espnet-ros predict on pictures: results, options, and mistakes."""
import argparse
import pathlib
import shutil
import types

import cv2
import numpy as np
import pytest
import torch
from picture_files import names_in, picture, read, write

from espnet_ros import labels, models
from espnet_ros.cli import main, predict
from espnet_ros.cli.predict import IMAGE_ENDINGS
from espnet_ros.cli.predictor import load
from espnet_ros.images.render import overlay
from espnet_ros.labels.palettes import PALETTES

PALETTE = labels.CAMVID.palette()[:, ::-1]


def test_an_image_becomes_three(tiny, segment, capsys):
    image = picture()
    assert main(['predict', write(pathlib.Path('x.png'), image), '--model', tiny, '--alpha', '0.25']) == 0
    assert names_in('predictions') == ['x_color.png', 'x_labels.png', 'x_overlay.jpg']
    found, color, over = [read('predictions/x' + ending) for ending in IMAGE_ENDINGS]
    np.testing.assert_array_equal(found, segment(image))
    assert found.dtype == np.uint8 and len(np.unique(found)) > 2
    np.testing.assert_array_equal(color, PALETTE[found])
    assert np.abs(over.astype(int) - overlay(image, color, 0.25)).mean() < 4  # JPEG
    out, err = capsys.readouterr()
    assert err == '' and out.splitlines()[0] == '1 of 1 inputs, 1 frames: predictions'
    lines = out.splitlines()
    names = [labels.CAMVID.names[id] for id in np.bincount(found[found < 255]).argsort()[::-1][:2]]
    assert lines[1].startswith('pixels: {} {:.1f} %, {} '.format(
        names[0], 100 * (found == labels.CAMVID.names.index(names[0])).mean(), names[1]))
    assert lines[-2].startswith('model tiny at 96x64, torch in ') and lines[-2].endswith(', bilinear upsampling')
    assert lines[-1].startswith('median of a frame: preprocess ') and max(map(len, lines[:-2])) <= 80


def test_results_at_the_networks_size(tiny, segment):
    image = picture()
    arguments = ['predict', write(pathlib.Path('x.png'), image), '--model', tiny, '--output-size', 'network']
    assert main(arguments) == 0
    np.testing.assert_array_equal(read('predictions/x_labels.png'), segment(image, 'network'))
    assert [read('predictions/x' + ending).shape[:2] for ending in IMAGE_ENDINGS] == [(64, 96)] * 3
    assert main([*arguments, '--width', '128', '--height', '72']) == 0
    assert read('predictions/x_overlay.jpg').shape == (72, 128, 3)


def test_uncertain_pixels_become_unlabeled(tiny, segment):
    image = picture()
    path = write(pathlib.Path('x.png'), image)
    assert main(['predict', path, '--model', tiny, '--confidence-threshold', '0.9', '--legend']) == 0
    found = read('predictions/x_labels.png')
    assert 0 < (found == 255).mean() < 1
    np.testing.assert_array_equal(found, segment(image, threshold=0.9))


def test_colors_outlines_and_legend(tiny, segment):
    path = write(pathlib.Path('x.png'), picture())
    assert main(['predict', path, '--model', tiny, '--palette', 'color-blind', '--outlines', '--legend']) == 0
    palette = PALETTES['color-blind'](labels.CAMVID).palette()[:, ::-1]
    found_labels = segment(picture())
    np.testing.assert_array_equal(read('predictions/x_color.png'), palette[found_labels])
    overlay = read('predictions/x_overlay.jpg')
    assert overlay.shape[0] == found_labels.shape[0] and overlay.shape[1] > found_labels.shape[1]
    edges = found_labels[1:, 1:] != found_labels[:-1, 1:]
    found = overlay[1:, 1:found_labels.shape[1]].min(2)
    assert found[edges].mean() > found[~edges].mean() + 40  # white lines, softened by JPEG


@pytest.mark.parametrize('image, equal', [
    (picture()[..., 1], lambda image: cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)),
    (np.dstack([picture(), picture(1)[..., 0]]), lambda image: np.ascontiguousarray(image[..., :3])),
    (picture().astype(np.uint16) * 257, lambda image: (image // 257).astype(np.uint8))],
    ids=['grayscale', 'transparent', '16 bits'])
def test_kinds_of_images(tiny, segment, image, equal):
    path = write(pathlib.Path('Straße 1/ö ä.png'), image)
    assert main(['predict', path, '--model', tiny, '--out', 'Bilder 1/ü']) == 0
    np.testing.assert_array_equal(read('Bilder 1/ü/ö ä_labels.png'), segment(equal(image)))


def test_edges_are_those_of_the_scores_unless_labels_are_resized(tiny, segment):
    """The picture is ten times as large as the network: steps of ten pixels, or none."""
    image = picture(1, 960, 640)
    path = write(pathlib.Path('x.png'), image)
    assert main(['predict', path, '--model', tiny]) == 0
    smooth = read('predictions/x_labels.png')
    np.testing.assert_array_equal(smooth, segment(image))
    assert main(['predict', path, '--model', tiny, '--upsampling', 'nearest']) == 0
    stepped = read('predictions/x_labels.png')
    edges = [np.unique(np.nonzero(found[:, 1:] != found[:, :-1])[1] % 10) for found in (smooth, stepped)]
    assert len(edges[0]) == 10 and list(edges[1]) == [9]
    assert (smooth == stepped).mean() > 0.8


@pytest.mark.parametrize('arguments', [
    ['--precision', 'int8'], ['--backend', 'openvino'], ['--output-size', 'network']])
def test_where_there_are_no_scores_labels_are_resized(arguments, tiny, monkeypatch):
    asked = []

    def stand_in(card, network, width, height, backend, *_, **__):
        asked.append(backend)
        return types.SimpleNamespace(card=card, width=width, height=height, fallback='')
    monkeypatch.setattr('espnet_ros.cli.predictor.build_engine', stand_in)
    parser = argparse.ArgumentParser()
    predict.add_arguments(parser)
    options = parser.parse_args(['x', *arguments])
    assert load(models.find(tiny), (0, 0), options).upsampling == 'nearest'
    assert asked == [options.backend]


def test_a_window(tiny, monkeypatch, capsys):
    """OpenCV without windows, no display, and a user who closes it after the first of two images."""
    inputs = [write(pathlib.Path(name), picture()) for name in ('x.png', 'y.png')]
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    assert main(['predict', *inputs, '--model', tiny, '--show']) == 1
    assert '--show needs a display, and neither DISPLAY' in capsys.readouterr().err
    monkeypatch.setenv('DISPLAY', ':9')

    def fail(*_):
        raise cv2.error('The function is not implemented')
    monkeypatch.setattr(cv2, 'namedWindow', fail)
    assert main(['predict', *inputs, '--model', tiny, '--show']) == 1
    assert '--show needs an OpenCV with windows' in capsys.readouterr().err
    shown, keys = [], iter([-1, ord('q')])
    for name, value in (('namedWindow', lambda *_: None), ('imshow', lambda _, image: shown.append(image.shape)),
                        ('waitKey', lambda _: next(keys)), ('getWindowProperty', lambda *_: 1.0)):
        monkeypatch.setattr(cv2, name, value)
    assert main(['predict', *inputs, '--model', tiny, '--show']) == 0
    assert shown == [(70, 120, 3)] and capsys.readouterr().out.startswith('1 of 2 inputs, 1 frames: ')


@pytest.mark.parametrize('arguments, error', [
    (['nowhere.png'], "there is no file 'nowhere.png'"),
    (['*.png'], "there is no file '*.png'"),
    (['x.jpg', '--out', 'x.jpg'], "cannot write 'x.jpg': File exists; choose another folder with --out"),
    (['x.jpg', '--out', 'x.jpg/out'], "cannot write 'x.jpg/out': Not a directory"),
    (['x.jpg', '--width', '100'], 'input_width is 100; it must be a multiple of 8'),
    (['folder'], "the folder 'folder' holds no images"),
    (['x.jpg', '--model', 'x.jpg'], "the weights 'x.jpg' (SHA-256 ")])
def test_mistakes_are_one_line(tiny, capsys, arguments, error):
    write(pathlib.Path('x.jpg'), picture())
    pathlib.Path('folder').mkdir()
    assert main(['predict', '--model', tiny, *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == '' and err.startswith('espnet-ros: error: ' + error) and err.count('\n') == 1


@pytest.mark.parametrize('arguments', [
    ['--alpha', '1.1'], ['--alpha', 'nan'], ['--alpha', 'x'], ['--confidence-threshold', '-0.1'], ['--every', '0'],
    ['--output-size', 'big'], ['--backend', 'x'], ['--width', '1.5']])
def test_wrong_options(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(['predict', 'x.png', *arguments])
    assert left.value.code == 2
    assert 'error: argument ' + arguments[0] in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason='needs a machine without a GPU')
@pytest.mark.parametrize('arguments, words', [
    (['--device', 'cuda'], "device 'cuda' is not there: PyTorch "),
    (['--device', 'gpu'], "device is 'gpu'; it must be auto, cpu, cuda or cuda:N"),
    (['--backend', 'tensorrt'], 'TensorRT needs an NVIDIA GPU'),
    (['--backend', 'torch', '--precision', 'int8'], 'PyTorch runs networks in fp32, bf16 or fp16, not in int8')])
def test_an_engine_that_cannot_be_had_is_an_error(tiny, capsys, arguments, words):
    assert main(['predict', write(pathlib.Path('x.png'), picture()), '--model', tiny, *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith('espnet-ros: error: ') and error.count('\n') == 1 and words in error
    assert not list(pathlib.Path('predictions').iterdir())


@pytest.mark.parametrize('name, weights, golden', [
    ('cityscapes-espnet-q8', 'espnet/espnet_p_2_q_8.pth', 'espnet_q8'),
    ('cityscapes-espnet-c-q3', 'espnet_c/espnet_p_2_q_3.pth', 'espnet_c_q3')])
def test_the_authors_models_label_as_their_code_does(shared, capsys, name, weights, golden):
    assert main(['models', 'fetch', name, '--from', str(shared / 'weights' / weights)]) == 0
    samples = shared / 'data' / 'cityscapes_samples'
    assert main(['predict', str(samples), '--model', name, '--precision', 'fp32', '--output-size', 'network',
                 '--out', 'out']) == 0
    paths = sorted(samples.glob('*.png'))
    assert len(paths) == 2
    for path in paths:
        expected = read(shared / 'golden' / '{}_{}_labels.png'.format(golden, path.stem.replace('_leftImg8bit', '')))
        expected[expected == 19] = 255  # the authors' background
        found = read('out/{}_labels.png'.format(path.stem))
        assert found.shape == expected.shape == (512, 1024)
        assert (found == expected).mean() >= 0.999


def test_a_weights_file_is_known_by_its_content(shared, tmp_path, capsys):
    shutil.copy(shared / 'weights/espnet_c/espnet_p_2_q_3.pth', tmp_path / 'net.pth')
    write(pathlib.Path('x.png'), picture())
    assert main(['predict', 'x.png', '--model', str(tmp_path / 'net.pth'), '--width', '128', '--height', '64']) == 0
    assert 'model cityscapes-espnet-c-q3 at 128x64' in capsys.readouterr().out

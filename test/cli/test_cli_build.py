"""espnet-ros build, on stand-ins for NVIDIA's libraries."""
import argparse
import os

import cv2
import numpy as np
import pytest
from fake_jetson import make_jetson

from espnet_ros import models
from espnet_ros.cli import build
from espnet_ros.engine import build_engine
from espnet_ros.errors import EngineError, EspnetError

PATH = 'engines/tiny-96x64-fp16-nvidia-tegra-x2.engine'


@pytest.fixture
def jetson(monkeypatch):
    return make_jetson(monkeypatch)


def run(*arguments):
    parser = argparse.ArgumentParser()
    build.add_arguments(parser)
    return build.run(parser.parse_args(arguments))


def built(tiny, folder, precision='auto'):
    """What the node would get."""
    model = models.find(tiny)
    return build_engine(model.card, models.load(model), 96, 64, 'tensorrt', precision=precision, cache_dir=folder)


def test_the_node_starts_with_what_was_built(tiny, jetson, capsys):
    assert run('--model', tiny, '--cache-dir', 'engines') == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ['building the engine in fp16; this takes minutes', 'comparing the engine with PyTorch']
    assert lines[2].startswith('{}: tiny at 96x64 in fp16 on NVIDIA Tegra X2, TensorRT 8.2.1.8; built, '.format(
        os.path.abspath(PATH))) and len(lines) == 3 and os.path.isfile(PATH)
    jetson.broken = True  # nothing more can be built
    info = built(tiny, 'engines').describe()
    assert (info.backend, info.cache, info.fallback) == ('tensorrt', 'loaded', '')
    assert run('--model', tiny, '--cache-dir', 'engines') == 0
    assert '; loaded, ' in capsys.readouterr().out


def test_size_and_precision(tiny, jetson, capsys):
    assert run('--model', tiny, '--cache-dir', 'engines', '--precision', 'fp32', '--width', '128',
               '--height', '72') == 0
    assert os.path.isfile('engines/tiny-128x72-fp32-nvidia-tegra-x2.engine')
    assert 'tiny at 128x72 in fp32 on ' in capsys.readouterr().out


def test_an_int8_engine_needs_images_once(tiny, monkeypatch, capsys):
    jetson = make_jetson(monkeypatch, name='Xavier', capability=(7, 2), multiprocessors=8)
    os.mkdir('images')
    cv2.imwrite('images/0.png', np.full((30, 40, 3), 90, np.uint8))
    with pytest.raises(EngineError, match='int8 needs calibration images: .* espnet-ros build --precision int8'):
        run('--model', tiny, '--cache-dir', 'engines', '--precision', 'int8')
    assert run('--model', tiny, '--cache-dir', 'engines', '--precision', 'int8', '--calibration', 'images') == 0
    assert ' in int8 on Xavier' in capsys.readouterr().out
    jetson.broken = True
    assert built(tiny, 'engines', 'int8').describe()[:5:2] == ('tensorrt', 'int8', 'loaded')
    assert 'int8 needs calibration images' in built(tiny, 'elsewhere', 'int8').fallback


@pytest.mark.parametrize('arguments, words', [
    (['--width', '100'], 'input_width is 100; it must be a multiple of 8'),
    (['--model', 'tinny'], 'no model is called'),
    (['--cache-dir', '/dev/null/x'], "engines cannot be kept in '/dev/null/x': "),
    (['--precision', 'int8'], r'int8 brings nothing on NVIDIA Tegra X2 \(sm_62\)')])
def test_mistakes_are_one_sentence(tiny, jetson, arguments, words):
    with pytest.raises(EspnetError, match=words):
        run('--model', tiny, *arguments)


def test_a_disk_that_is_full_is_an_error(tiny, jetson, monkeypatch):
    monkeypatch.setattr('espnet_ros.engine.tensorrt.cache.EngineCache.store',
                        lambda *args: (_ for _ in ()).throw(EngineError('no space left')))
    with pytest.raises(EngineError, match='^no space left$'):
        run('--model', tiny, '--cache-dir', 'engines')


def test_without_a_gpu_and_tensorrt(tiny):
    with pytest.raises(EngineError) as error:
        run('--model', tiny)
    assert str(error.value).startswith('TensorRT needs') and '\n' not in str(error.value)

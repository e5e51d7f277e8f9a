"""espnet-ros predict on whole-slide images."""
import pathlib
import re
import signal
import subprocess
import sys
import time
import types

import cv2
import numpy as np
import pytest

pytest.importorskip('openslide', reason='slides need openslide-python and openslide-bin')
tifffile = pytest.importorskip('tifffile', reason='slides need tifffile')

from picture_files import names_in  # noqa: E402
from slide_maker import COLORS, TILE, SyntheticSlide, write_slide  # noqa: E402

from espnet_ros import labels, models  # noqa: E402
from espnet_ros.cli import main  # noqa: E402
from espnet_ros.engine import build_engine  # noqa: E402
from espnet_ros.slides.reader import Slide  # noqa: E402
from espnet_ros.slides.stitching import Stitcher  # noqa: E402


@pytest.fixture
def slide(tmp_path):
    return str(write_slide(tmp_path, 700, 420)[0])


def test_a_slide_becomes_a_tiled_label_image(tiny, slide, tmp_path, capsys):
    assert main(['predict', slide, '--tiles', '--overlap', '16', '--model', tiny]) == 0
    assert names_in('predictions') == ['slide_color.png', 'slide_labels.tif']
    model = models.find(tiny)
    stitcher = Stitcher(Slide(slide), build_engine(model.card, models.load(model), 96, 64, 'torch'), 16, tmp_path / 'p')
    stitcher.run(lambda: None)
    wanted = np.concatenate(list(stitcher.rows(100)))
    with tifffile.TiffFile('predictions/slide_labels.tif') as file:
        assert file.pages[0].is_tiled
        found = file.pages[0].asarray()
    np.testing.assert_array_equal(found, wanted)
    assert len(np.unique(found)) > 1
    color = cv2.imread('predictions/slide_color.png')
    np.testing.assert_array_equal(color, labels.CAMVID.palette()[:, ::-1][wanted])  # small enough not to be reduced
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == '1 of 1 inputs, {} tiles: predictions'.format(stitcher.tiles)
    assert ', torch in ' in out and 'error' not in err  # on a slow machine it says how far it is


def test_a_large_slides_picture_is_reduced(tiny, tmp_path, monkeypatch):
    from espnet_ros.cli import predictor
    monkeypatch.setattr(predictor, 'SLIDE_PICTURE', 100)
    path = write_slide(tmp_path, 310, 190)[0]
    assert main(['predict', str(path), '--tiles', '--model', tiny, '--overlap', '8']) == 0
    assert cv2.imread('predictions/slide_color.png').shape == (48, 78, 3)


def test_a_narrow_slide_has_a_picture_too_and_goes_on_when_the_disk_is_nearly_full(tiny, tmp_path, monkeypatch, capsys):
    from espnet_ros.cli import predictor
    monkeypatch.setattr(predictor, 'SLIDE_PICTURE', 5)
    path = write_slide(tmp_path, 500, 20)[0]  # 100 pixels become one
    command = ['predict', str(path), '--tiles', '--model', tiny, '--overlap', '8']
    monkeypatch.setattr(predictor.shutil, 'disk_usage', lambda _: types.SimpleNamespace(free=2 * 500 * 20 - 1))
    assert main(command) == 1 and 'choose another folder with --out' in capsys.readouterr().err
    partial = pathlib.Path('predictions', 'slide_labels.partial')
    partial.mkdir(exist_ok=True)
    (partial / 'labels').write_bytes(b'x')
    assert main(command) == 0
    assert cv2.imread('predictions/slide_color.png').shape == (1, 5, 3)


def test_a_killed_process_goes_on_with_the_same_result(tiny, tmp_path):
    path = str(write_slide(tmp_path, 800, 800)[0])
    assert main(['predict', path, '--tiles', '--model', tiny, '--overlap', '8', '--out', 'whole']) == 0
    command = [sys.executable, '-m', 'espnet_ros.cli', 'predict', path, '--tiles', '--model', tiny, '--overlap', '8',
               '--out', 'cut']
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    state = pathlib.Path('cut', 'slide_labels.partial', 'state')
    try:
        deadline = time.monotonic() + 200
        while not state.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert state.exists()
    model = models.find(tiny)
    engine = build_engine(model.card, models.load(model), 96, 64, 'torch')
    assert 0 < Stitcher(Slide(path), engine, 8, state.parent).done
    assert main(command[3:]) == 0
    assert names_in('cut') == ['slide_color.png', 'slide_labels.tif']
    assert pathlib.Path('cut', 'slide_labels.tif').read_bytes() == pathlib.Path(
        'whole', 'slide_labels.tif').read_bytes()


def write_large_slide(path, side):
    """Write a slide that repeats 4x4 tiles of flat colors, which takes seconds."""
    small = SyntheticSlide(4 * TILE, 4 * TILE)
    tiles = [[COLORS[small.tile(x, y)[1]] for x in range(0, 4 * TILE, TILE)] for y in range(0, 4 * TILE, TILE)]
    count = -(-side // TILE)
    tifffile.imwrite(path, (tiles[y % 4][x % 4] for y in range(count) for x in range(count)), shape=(side, side, 3),
                     dtype=np.uint8, tile=(TILE, TILE), compression='zlib', photometric='rgb', metadata=None)


@pytest.mark.timeout(3000)
def test_a_slide_of_20000x20000_takes_less_than_a_gigabyte_and_a_half_and_goes_on_after_a_kill(tiny, tmp_path):
    write_large_slide(tmp_path / 'large.tif', 20_000)
    # Not by the process's resource usage, which counts what the one that started it had.
    program = ('import re, sys; from espnet_ros.cli import main; code = main(sys.argv[1:]); '
               'print(re.search("VmHWM:[^0-9]*([0-9]+)", open("/proc/self/status").read())[1]); sys.exit(code)')
    command = [sys.executable, '-c', program, 'predict', str(tmp_path / 'large.tif'), '--tiles', '--model', tiny,
               '--size', '384x384', '--backend', 'torch']
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:  # until it tells its progress
            found = re.search('large.tif: ([0-9]+) of 3721 tiles', line)
            if found and int(found[1]) > 200:
                process.kill()
    assert process.returncode == -signal.SIGKILL
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    told = [int(count) for count in re.findall('large.tif: ([0-9]+) of 3721 tiles', done.stderr)]
    assert told == sorted(told) and 100 < told[0] < told[-1] <= 3721  # it does not begin anew
    assert 50_000 < int(done.stdout.splitlines()[-1]) < 1.5e9 / 1024  # KiB
    with tifffile.TiffFile('predictions/large_labels.tif') as file:
        assert file.pages[0].shape == (20_000, 20_000)
        assert len(np.unique(file.pages[0].asarray()[-400:, -400:])) > 1


def test_what_cannot_be_a_slide_gets_a_sentence(tiny, slide, tmp_path, capsys):
    for arguments, words in (
            (['--overlap', '33'], 'overlap is 33; it must be from 0 to half a tile, 32 pixels'),
            (['--confidence-threshold', '0.5'], '--confidence-threshold is for images and videos'),
            (['--overlap', '8', '--backend', 'openvino'], 'openvino gives labels only; take --backend torch')):
        if arguments[-1] == 'openvino':
            pytest.importorskip('openvino')
        assert main(['predict', slide, '--tiles', '--model', tiny, *arguments]) == 1
        assert words in capsys.readouterr().err
    cut = tmp_path / 'cut.svs'
    cut.write_bytes(pathlib.Path(slide).read_bytes()[:1000])
    assert main(['predict', str(cut), slide, '--tiles', '--model', tiny, '--overlap', '8']) == 1
    out, err = capsys.readouterr()
    assert err.startswith('espnet-ros: error: ') and "cut.svs'" in err and err.count('\n') == 1
    assert out.startswith('1 of 2 inputs, ')


def test_results_do_not_replace_slides(tiny, tmp_path, capsys):
    path = write_slide(tmp_path, 300, 300, name='x_labels')[0]
    (path.parent / 'x.svs').write_bytes(path.read_bytes())
    assert main(['predict', str(path), str(path.parent / 'x.svs'), '--tiles', '--model', tiny, '--out',
                 str(path.parent)]) == 1
    assert "x_labels.tif' would replace an input" in capsys.readouterr().err

"""espnet-ros predict."""
import argparse
import base64
import http.server
import json
import os
import pathlib
import shutil
import tempfile
import threading
import types

import cv2
import numpy as np
import pytest
import torch

from espnet_ros import labels, models
from espnet_ros.cli import main, predict
from espnet_ros.cli.files import write_image
from espnet_ros.cli.predict import IMAGE_ENDINGS, jobs_for
from espnet_ros.cli.predictor import load
from espnet_ros.engine import build_engine
from espnet_ros.errors import ImageError, ParameterError, SourceError
from espnet_ros.images import sources as capture
from espnet_ros.images.pictures import read_image_at
from espnet_ros.images.render import overlay
from espnet_ros.labels.palettes import PALETTES
from espnet_ros.segmenter import Segmenter

PALETTE = labels.CAMVID.palette()[:, ::-1]


def picture(seed=0, width=120, height=70):
    small = np.random.default_rng(seed).integers(0, 256, (7, 12, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def read(path):
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imencode(path.suffix, image)[1].tofile(path)
    return str(path)


def write_video(path, frames, rate=12.0):
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), rate, (width, height))
    for frame in frames:
        writer.write(frame)
    writer.release()
    return str(path)


def frames_of(path):
    video = cv2.VideoCapture(str(path))
    frames = []
    while True:
        read, frame = video.read()
        if not read:
            return frames, video.get(cv2.CAP_PROP_FPS)
        frames.append(frame)


def names_in(folder):
    return sorted(p.name for p in pathlib.Path(folder).iterdir())


@pytest.fixture
def segment(tiny):
    """What the segmenter says of an image."""
    model = models.find(tiny)
    engine = build_engine(model.card, models.load(model), 96, 64, 'torch')
    return lambda image, size='camera', **options: Segmenter(
        engine, size, 'bilinear' if size == 'camera' else 'nearest').segment(image, **options).labels


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


def test_folders_and_patterns(tiny):
    for name in ('a/1.png', 'a/2.JPG', 'a/sub/3.png', 'b/4.png', 'b/5.png'):
        write(pathlib.Path(name.lower()), picture())
    pathlib.Path('a/2.jpg').rename('a/2.JPG')
    pathlib.Path('a/notes.txt').write_text('no image')
    assert main(['predict', 'a', 'b/*.png', 'b/4.png', '--model', tiny]) == 0
    assert [n for n in names_in('predictions') if n.endswith('_labels.png')] == [
        '1_labels.png', '2_labels.png', '4_labels.png', '5_labels.png']
    assert names_in('predictions/sub') == sorted('3' + ending for ending in IMAGE_ENDINGS)


def test_results_and_hidden_folders_inside_the_input_are_left_out():
    for name in ('x.png', 'sub/deep/x.png', 'predictions/x_color.png', '.hidden/y.png'):
        write(pathlib.Path(name), picture())
    jobs, problems = jobs_for(['.'], pathlib.Path('predictions'))
    assert [str(job.target) for job in jobs] == ['predictions/x', 'predictions/sub/deep/x'] and problems == []


def test_folders_with_names_like_cameras_are_folders():
    write(pathlib.Path('0001/x.png'), picture())
    (job,), _ = jobs_for(['0001'], pathlib.Path('out'))
    assert (job.target, job.is_image) == (pathlib.Path('out/x'), True)


@pytest.mark.skipif(not os.access('/dev/shm', os.W_OK), reason='this machine has no /dev/shm')
def test_files_in_shared_memory_are_no_cameras():
    with tempfile.TemporaryDirectory(dir='/dev/shm') as folder:
        write(pathlib.Path(folder, 'x.png'), picture())
        write_video(pathlib.Path(folder, 'a.avi'), [picture(0, 122, 70)] * 2)
        jobs, problems = jobs_for([folder + '/*.png', folder + '/a.avi'], pathlib.Path('out'))
        assert [job.is_image for job in jobs] == [True, False] and problems == []
        with capture.open_source(jobs[1].source) as video:
            assert not video.live and len(list(video)) == 2


def test_a_folder_of_too_many_files_is_refused(monkeypatch):
    monkeypatch.setattr('espnet_ros.cli.files.MAX_FILES', 1)
    for name in ('a/1.png', 'a/b/2.png'):
        write(pathlib.Path(name), picture())
    (problem,) = jobs_for(['a'], pathlib.Path('out'))[1]
    assert 'hold more than 1 files' in str(problem)


def test_what_is_not_there_is_named_and_the_rest_is_done(tiny, capsys):
    assert main(['predict', 'nowhere.png', write(pathlib.Path('x.png'), picture()), '/dev/video999', '--model',
                 tiny]) == 1
    out, err = capsys.readouterr()
    assert err.splitlines()[0].startswith("espnet-ros: error: there is no file 'nowhere.png'")
    assert 'there is no camera /dev/video999; ' in err and err.count('\n') == 2
    assert out.startswith('1 of 3 inputs, 1 frames: predictions\n') and len(names_in('predictions')) == 3


@pytest.mark.parametrize('address, stem, is_image', [
    ('0', 'camera0', False), ('/dev/video2', 'video2', False), ('rtsp://me:secret@host/front?key=x', 'front', False),
    ('http://host/a/b.jpg?key=x', 'b', True), ('rtsp://me:secret@host', 'host', False),
    ('https://host/%2e%2e/..', 'stream', False)])
def test_names_of_cameras_and_addresses(address, stem, is_image):
    (job,), problems = jobs_for([address], pathlib.Path('out'))
    assert (job.target, job.is_image, problems) == (pathlib.Path('out') / stem, is_image, [])


@pytest.fixture
def server():
    """The address of a server of the working directory."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            """Say nothing."""
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Quiet) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield 'http://127.0.0.1:{}'.format(served.server_port)
        served.shutdown()


def test_a_picture_from_the_network(tiny, segment, server, capsys):
    write(pathlib.Path('x.png'), picture())
    pathlib.Path('text.png').write_text('no image')
    assert main(['predict', server + '/x.png?token=secret', server + '/text.png', server + '/none.png', '--json',
                 '--model', tiny]) == 1
    np.testing.assert_array_equal(read('predictions/x_labels.png'), segment(picture()))
    out, err = capsys.readouterr()
    assert json.loads(out)['input'] == server + '/x.png?...' and 'secret' not in err
    lines = err.splitlines()
    assert 'text.png (8 bytes) is not an image' in lines[0] and 'none.png: File not found; look at' in lines[1]


def test_a_password_is_sent_and_not_told(server, monkeypatch):
    handler, heard = http.server.SimpleHTTPRequestHandler, []
    answer = handler.do_GET

    def listen(self):
        heard.append(self.headers['Authorization'])
        answer(self)
    monkeypatch.setattr(handler, 'do_GET', listen)
    write(pathlib.Path('x.png'), picture())
    address = server.replace('//', '//me:s%40cret@')
    np.testing.assert_array_equal(read_image_at(address + '/x.png'), picture())
    assert base64.b64decode(heard[0].partition(' ')[2]) == b'me:s@cret'
    with pytest.raises(SourceError) as found:
        read_image_at('http://me:s%40cret@127.0.0.1:x/x.png')
    assert 'cret' not in str(found.value)
    with pytest.raises(SourceError, match='Connection refused; look at the address in a browser on this machine'):
        read_image_at('http://127.0.0.1:9/x.png')


def test_shares_as_json(tiny, capsys):
    path = write_video('a.avi', [picture(seed, 122, 70) for seed in range(3)])
    image = write(pathlib.Path('x.png'), picture())
    assert main(['predict', path, image, '--model', tiny, '--json', '--frames', '2']) == 0
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line['input'], line.get('frame'), line['width']) for line in lines] == [
        (path, 0, 122), (path, 1, 122), (image, None, 120)]
    found = read('predictions/x_labels.png')
    for number, name in enumerate(labels.CAMVID.names):
        assert lines[-1]['shares'][name] == pytest.approx((found == number).mean(), abs=1e-6)
    assert sum(lines[-1]['shares'].values()) == pytest.approx(1, abs=1e-4)
    assert '2 of 2 inputs, 3 frames' in err and len(frames_of('predictions/a_overlay.mp4')[0]) == 2


def test_a_camera_ends_with_ctrl_c_and_its_video_is_kept(tiny, monkeypatch, capsys):
    class Camera(capture.Source):
        live = True

        def _once(self):
            for number in range(3):
                yield capture.Capture(picture(number), str(number))
            raise KeyboardInterrupt
    monkeypatch.setattr(capture, 'open_source', lambda address: Camera(0, 0))
    assert main(['predict', '0', '--model', tiny]) == 0
    assert len(frames_of('predictions/camera0_overlay.mp4')[0]) >= 3
    assert capsys.readouterr().out.startswith('1 of 1 inputs, 3 frames: predictions\n')


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


def test_inputs_with_one_stem_do_not_replace_each_other():
    for name in ('left/x.png', 'right/x.png', 'right/X.jpg', 'right/x.bmp', 'right_x.png'):
        write(pathlib.Path(name), picture())
    stems = [job.target.name for job in jobs_for(
        ['left/x.png', 'right', 'right_x.png'], pathlib.Path('out'))[0]]
    assert stems == ['x', 'right_X', 'right_x_2', 'right_x_3', 'work_right_x']
    assert len({stem.lower() for stem in stems}) == 5


def test_results_never_replace_inputs(tiny, capsys):
    write(pathlib.Path('x.png'), picture())
    write(pathlib.Path('x_labels.png'), picture(1))
    before = pathlib.Path('x_labels.png').read_bytes()
    assert main(['predict', '.', '--model', tiny, '--out', '.']) == 1
    assert capsys.readouterr().err == ("espnet-ros: error: the result 'x_labels.png' would replace an input; choose "
                                       'another folder with --out\n')
    assert pathlib.Path('x_labels.png').read_bytes() == before and len(names_in('.')) == 2


def test_older_results_are_replaced(tiny):
    path = write(pathlib.Path('x.png'), picture())
    assert main(['predict', path, '--model', tiny]) == 0
    first = read('predictions/x_labels.png')
    write(pathlib.Path('x.png'), picture(5))
    assert main(['predict', path, '--model', tiny]) == 0
    assert (read('predictions/x_labels.png') != first).any()
    assert len(names_in('predictions')) == 3


def test_bad_images_are_named_and_left_out(tiny, capsys):
    write(pathlib.Path('in/a.png'), picture())
    write(pathlib.Path('in/z.png'), picture())
    whole = pathlib.Path(write(pathlib.Path('whole.jpg'), picture())).read_bytes()
    pathlib.Path('in/cut.jpg').write_bytes(whole[:len(whole) // 2])
    pathlib.Path('in/empty.png').touch()
    pathlib.Path('in/text.png').write_text('no image')
    assert main(['predict', 'in', '--model', tiny]) == 1
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert len(lines) == 3 and all(line.startswith('espnet-ros: error: ') for line in lines)
    assert ['cut.jpg' in lines[0], 'empty.png' in lines[1], 'text.png' in lines[2]] == [True] * 3
    assert out.startswith('2 of 5 inputs, 2 frames: predictions\n')
    assert names_in('predictions') == sorted(stem + ending for stem in 'az' for ending in IMAGE_ENDINGS)


def test_video(tiny, segment, capsys):
    path = write_video('a drive.avi', [picture(seed, 122, 70) for seed in range(7)])
    assert main(['predict', path, '--model', tiny, '--every', '3']) == 0
    assert names_in('predictions') == ['a drive_frames', 'a drive_overlay.mp4']
    assert names_in('predictions/a drive_frames') == sorted(
        '{:06d}{}'.format(n, ending) for n in (0, 3, 6) for ending in IMAGE_ENDINGS)
    sources, _ = frames_of(path)
    overlays, rate = frames_of('predictions/a drive_overlay.mp4')
    assert len(overlays) == 7 and rate == pytest.approx(12)
    for source, shown in zip(sources, overlays):
        found = segment(source)
        expected = overlay(source, np.ascontiguousarray(PALETTE[found]), 0.5, found)
        assert np.abs(shown.astype(int) - expected).mean() < 10  # MPEG-4
    np.testing.assert_array_equal(read('predictions/a drive_frames/000003_labels.png'), segment(sources[3]))
    assert capsys.readouterr().out.startswith('1 of 1 inputs, 7 frames: predictions\n')


def test_bad_videos_leave_nothing(tiny, capsys):
    whole = pathlib.Path(write_video('whole.mp4', [picture()] * 5)).read_bytes()
    pathlib.Path('cut.mp4').write_bytes(whole[:len(whole) // 2])
    pathlib.Path('empty.avi').touch()
    assert main(['predict', 'cut.mp4', 'empty.avi', '--model', tiny]) == 1
    out, err = capsys.readouterr()
    assert out == '' and ['cut.mp4' in err, 'empty.avi' in err, err.count('\n')] == [True, True, 2]
    assert names_in('predictions') == []


def test_a_video_that_breaks_off_is_named(tiny, capsys):
    whole = pathlib.Path(write_video('whole.avi', [picture(seed) for seed in range(30)])).read_bytes()
    pathlib.Path('cut.avi').write_bytes(whole[:len(whole) // 2])
    assert main(['predict', 'cut.avi', '--model', tiny]) == 1
    assert 'cut.avi ends after' in capsys.readouterr().err
    assert 5 < len(frames_of('predictions/cut_overlay.mp4')[0]) < 25


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


def test_a_result_that_cannot_be_written(tiny, capsys):
    write(pathlib.Path('x.png'), picture())
    pathlib.Path('predictions/x_labels.png').mkdir(parents=True)
    assert main(['predict', 'x.png', '--model', tiny]) == 1
    assert capsys.readouterr().err == ("espnet-ros: error: cannot write 'predictions/x_labels.png': it exists and is "
                                       'not a regular file; choose another folder with --out\n')
    assert names_in('predictions') == ['x_labels.png']


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


def test_jobs_raise_our_errors(tmp_path):
    (problem,) = jobs_for([str(tmp_path / '\udcff')], tmp_path)[1]
    assert isinstance(problem, SourceError)
    write(tmp_path / 'x_overlay.jpg', picture())
    write(tmp_path / 'x.png', picture())
    with pytest.raises(ParameterError):
        jobs_for([str(tmp_path)], tmp_path)


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


def test_a_name_that_is_too_long_leaves_out_only_its_own_results(tiny, capsys):
    long, longest = 'l' * 240, 'm' * 250
    for stem in ('a', long, longest, 'z'):
        write(pathlib.Path(stem + '.png'), picture())
    assert main(['predict', '.', '--model', tiny]) == 1
    out, err = capsys.readouterr()
    assert out.startswith('3 of 4 inputs, ')
    assert err.count('\n') == 1 and 'its name is too long; give the input a shorter one' in err
    assert names_in('predictions') == sorted(stem + ending for stem in ('a', long, 'z') for ending in IMAGE_ENDINGS)


def test_an_image_that_cannot_be_encoded_is_an_image_error(tmp_path):
    folder = tmp_path / 'out'
    folder.mkdir()
    with pytest.raises(ImageError, match='an image of 70000x1 pixels cannot be encoded'):
        write_image(folder / 'a.jpg', np.zeros((1, 70000, 3), np.uint8))
    assert not list(folder.iterdir())

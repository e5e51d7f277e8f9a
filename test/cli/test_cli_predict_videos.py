"""espnet-ros predict on videos and cameras."""
import json
import pathlib

import numpy as np
import pytest
from picture_files import frames_of, names_in, picture, read, write, write_video

from espnet_ros import labels
from espnet_ros.cli import main
from espnet_ros.cli.predict import IMAGE_ENDINGS
from espnet_ros.images import sources as capture
from espnet_ros.images.render import overlay

PALETTE = labels.CAMVID.palette()[:, ::-1]


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

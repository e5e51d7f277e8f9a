"""Which files espnet-ros predict takes, and where it writes the results."""
import os
import pathlib
import tempfile

import numpy as np
import pytest
from picture_files import names_in, picture, read, write, write_video

from espnet_ros.cli import main
from espnet_ros.cli.files import write_image
from espnet_ros.cli.predict import IMAGE_ENDINGS, jobs_for
from espnet_ros.errors import ImageError, ParameterError, SourceError
from espnet_ros.images import sources as capture


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


def test_a_result_that_cannot_be_written(tiny, capsys):
    write(pathlib.Path('x.png'), picture())
    pathlib.Path('predictions/x_labels.png').mkdir(parents=True)
    assert main(['predict', 'x.png', '--model', tiny]) == 1
    assert capsys.readouterr().err == ("espnet-ros: error: cannot write 'predictions/x_labels.png': it exists and is "
                                       'not a regular file; choose another folder with --out\n')
    assert names_in('predictions') == ['x_labels.png']


def test_jobs_raise_our_errors(tmp_path):
    (problem,) = jobs_for([str(tmp_path / '\udcff')], tmp_path)[1]
    assert isinstance(problem, SourceError)
    write(tmp_path / 'x_overlay.jpg', picture())
    write(tmp_path / 'x.png', picture())
    with pytest.raises(ParameterError):
        jobs_for([str(tmp_path)], tmp_path)


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

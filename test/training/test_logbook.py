"""The log files of a training."""
import csv
import os
import resource
import sys
import threading

import cv2
import numpy as np
import pytest

from espnet_ros.errors import ModelError
from espnet_ros.training import logbook
from espnet_ros.training.logbook import CURVES, PICTURES, TABLE, TENSORBOARD, Logbook, curves

FIRST = {'stage': 1, 'epoch': 1, 'loss': 2.5, 'rate': 0.0005}
SECOND = {'stage': 1, 'epoch': 2, 'loss': 1.25, 'rate': 0.0005, 'camvid val class mIOU': 40.5}
THIRD = {'stage': 2, 'epoch': 1, 'loss': 1.5, 'rate': 0.0005}
FOURTH = {'stage': 2, 'epoch': 2, 'loss': 0.75, 'rate': 0.00025, 'camvid val class mIOU': 50.25,
          'a, "b" class mIOU': 60.0}


@pytest.fixture
def book(tmp_path):
    found = Logbook(tmp_path, ())
    yield found
    found.close()


def table(folder):
    with open(folder / TABLE, newline='') as stream:
        return list(csv.DictReader(stream))


def test_the_table_has_a_row_for_each_epoch(tmp_path, book):
    book.add(FIRST)
    assert (tmp_path / TABLE).read_text() == 'stage,epoch,loss,rate\n1,1,2.5,0.0005\n'
    for row in (SECOND, THIRD, FOURTH):
        book.add(row)
    found = table(tmp_path)
    assert list(found[0]) == ['stage', 'epoch', 'loss', 'rate', 'camvid val class mIOU', 'a, "b" class mIOU']
    assert [row['camvid val class mIOU'] for row in found] == ['', '40.5', '', '50.25']
    assert [row['a, "b" class mIOU'] for row in found] == ['', '', '', '60.0']
    assert [(row['stage'], row['epoch'], row['loss']) for row in found] == [
        ('1', '1', '2.5'), ('1', '2', '1.25'), ('2', '1', '1.5'), ('2', '2', '0.75')]


def test_it_continues_with_the_rows_of_a_checkpoint(tmp_path, book):
    for row in (FIRST, SECOND, THIRD):
        book.add(row)
    again = Logbook(tmp_path, [FIRST])  # what came after the checkpoint is lost
    again.add(SECOND)
    again.close()
    assert again.rows == [FIRST, SECOND] and len(table(tmp_path)) == 2


def test_a_table_that_cannot_be_written(tmp_path, book):
    (tmp_path / TABLE).mkdir()
    with pytest.raises(ModelError, match="cannot write '.*log.csv'"):
        book.add(FIRST)


def test_a_disk_that_fills_up(tmp_path, book, monkeypatch):
    pytest.importorskip('tensorboard')
    uncaught = []
    monkeypatch.setattr(threading, 'excepthook', uncaught.append)
    book.add(FIRST)
    events, = (tmp_path / TENSORBOARD).iterdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (events.stat().st_size + 9, hard))
    try:
        with pytest.raises(ModelError, match='cannot write .*: File too large$'):
            book.add(SECOND)
        book.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert table(tmp_path)[1]['loss'] == '1.25'
    assert not uncaught


def test_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(ModelError, match="cannot write '.*pictures': No such file"):
        Logbook(tmp_path / 'none', ())
    (tmp_path / PICTURES).write_text('a file')
    with pytest.raises(ModelError, match="cannot write '.*pictures': File exists"):
        Logbook(tmp_path, ())


def test_a_folder_that_is_read_only(tmp_path, monkeypatch):
    pytest.importorskip('tensorboard')

    def refuse(path, mode):
        raise OSError(30, 'Read-only file system', str(path))

    monkeypatch.setattr(logbook, 'open', refuse, raising=False)
    with pytest.raises(ModelError, match="cannot write '.*tensorboard/events.*': Read-only file system$"):
        Logbook(tmp_path, ())


def decoded(content):
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize('rows', [
    [FIRST], [FIRST, SECOND], [FIRST, SECOND, THIRD, FOURTH],
    [{**SECOND, 'camvid val class mIOU': float('nan')}],
    [{**FIRST, "bag '/a$b/$c^_{' class mIOU": 3.0, '_ class mIOU': 4.0}]])
def test_curves_are_a_picture(rows):
    picture = decoded(curves(rows))
    assert picture.shape == (600, 800, 3) and (picture == 255).mean() > 0.5
    blue = (picture == (0xaa, 0x77, 0x44)).all(2).sum()  # the loss
    assert (blue > 20) == (len(rows) > 1)


def test_pictures_have_the_names_of_dataset_and_epoch(tmp_path, book):
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, :30] = (200, 30, 60)
    book.add(FIRST)
    book.draw([('camvid val', picture), ("bag '/a/b'", picture), ('/' + 300 * 'long ', picture)])
    book.add(FOURTH)
    book.draw([('camvid val', 255 - picture)])
    names = sorted(os.listdir(tmp_path / PICTURES))
    assert names == ['bag_a_b_stage1_epoch0001.jpg', 'camvid_val_stage1_epoch0001.jpg',
                     'camvid_val_stage2_epoch0002.jpg', 10 * 'long_' + 'stage1_epoch0001.jpg']
    found = decoded((tmp_path / PICTURES / names[1]).read_bytes())
    assert found.shape == picture.shape and np.abs(found[20, 10].astype(int) - (200, 30, 60)).max() < 8
    assert found[20, 50].max() < 8
    assert decoded((tmp_path / CURVES).read_bytes()).shape == (600, 800, 3)


def test_without_matplotlib_there_are_no_curves(tmp_path, book, monkeypatch):
    monkeypatch.setitem(sys.modules, 'matplotlib.figure', None)
    book.add(FIRST)
    book.draw([('camvid val', np.zeros((40, 60, 3), np.uint8))])
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == [TABLE]
    assert os.listdir(tmp_path / PICTURES) == ['camvid_val_stage1_epoch0001.jpg']


def test_without_tensorboard_there_is_the_rest(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'torch.utils.tensorboard', None)
    book = Logbook(tmp_path, ())
    book.add(SECOND)
    book.draw([('camvid val', np.zeros((40, 60, 3), np.uint8))])
    book.close()
    assert sorted(os.listdir(tmp_path)) == sorted([CURVES, TABLE, PICTURES])
    assert table(tmp_path)[0]['camvid val class mIOU'] == '40.5'


def test_tensorboard_reads_the_events(tmp_path):
    accumulator = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:] = (200, 30, 60)
    book = Logbook(tmp_path, ())
    for row in (FIRST, SECOND, THIRD):
        book.add(row)
    book.draw([('camvid val', picture)])
    book.close()
    again = Logbook(tmp_path, [FIRST, SECOND])
    again.add(FOURTH)
    again.close()
    found = accumulator.EventAccumulator(str(tmp_path / TENSORBOARD))
    found.Reload()
    assert [(e.step, round(e.value, 4)) for e in found.Scalars('loss')] == [(1, 2.5), (2, 1.25), (3, 0.75)]
    assert [(e.step, e.value) for e in found.Scalars('camvid_val_class_mIOU')] == [(2, 40.5), (3, 50.25)]
    assert 'stage' not in found.Tags()['scalars'] and 'epoch' not in found.Tags()['scalars']

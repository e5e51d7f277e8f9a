"""Calibration images: which are taken, what their hash sees, and what the calibrator gets."""
import shutil

import cv2
import numpy as np
import pytest
import torch

from espnet_ros.engine.calibration import MAX_IMAGES, CalibrationImages, CalibrationInputs
from espnet_ros.errors import EngineError


@pytest.fixture
def folder(tmp_path):
    for i in range(4):
        cv2.imwrite(str(tmp_path / '{}.png'.format(i)), np.full((6, 8, 3), (i, 50, 100), np.uint8))
    return tmp_path


def test_inputs(folder):
    images = CalibrationImages(str(folder))
    inputs = images.inputs(16, 8, torch.device('cpu'))
    assert len(inputs) == 4
    (tensor,), = [inputs[2]]
    assert tensor.shape == (1, 3, 8, 16) and tensor.dtype == torch.float32 and tensor.is_contiguous()
    assert tensor[0, :, 3, 5].tolist() == [2, 50, 100]
    single, = images.inputs(16, 8, torch.device('cpu'), single=True)[3]
    assert single.shape == (3, 8, 16) and single[:, 0, 0].tolist() == [3, 50, 100]


def test_the_newest_input_is_kept_alive(folder):
    # Its address is all that TensorRT gets.
    cv2.imwrite(str(folder / '0.png'), np.full((6, 8, 3), 9, np.uint8))
    inputs = CalibrationInputs([str(folder / '0.png')] * 2, 4, 4, torch.device('cpu'), False)
    address = inputs[0][0].data_ptr()
    torch.zeros(1, 3, 4, 4)
    assert inputs._current.data_ptr() == address and inputs._current.unique().tolist() == [9]


def test_hash(folder, tmp_path_factory):
    first = CalibrationImages(str(folder)).sha256
    assert first == CalibrationImages(str(folder)).sha256 and len(first) == 64
    (folder / 'notes.txt').write_text('no image')
    moved = tmp_path_factory.mktemp('other') / 'images'
    shutil.copytree(str(folder), str(moved))
    assert CalibrationImages(str(moved)).sha256 == first
    shutil.copy(str(folder / '0.png'), str(folder / '1.png'))
    changed = CalibrationImages(str(folder)).sha256
    (folder / '3.png').unlink()
    assert len({first, changed, CalibrationImages(str(folder)).sha256}) == 3


def test_many_images_are_thinned_out(folder):
    for i in range(MAX_IMAGES * 2):
        shutil.copy(str(folder / '0.png'), str(folder / 'a{:03d}.png'.format(i)))
    (folder / 'a255.png').unlink()
    names = [path.rsplit('/', 1)[1] for path in CalibrationImages(str(folder))._paths]
    assert len(names) == MAX_IMAGES == len(set(names)) and names[0] == '0.png' and names[-1] >= 'a250.png'


def test_refusals(folder, tmp_path):
    with pytest.raises(EngineError, match='int8 needs calibration images: give a folder'):
        CalibrationImages('')
    with pytest.raises(EngineError, match="the calibration images in '.*/nowhere' cannot be read: No such file"):
        CalibrationImages(str(tmp_path / 'nowhere'))
    (tmp_path / 'empty').mkdir()
    with pytest.raises(EngineError, match="the folder of calibration images '.*/empty' holds none"):
        CalibrationImages(str(tmp_path / 'empty'))
    (folder / '2.png').write_bytes(b'damaged')
    with pytest.raises(EngineError, match='int8 cannot be calibrated: .*2.png.* is not an image'):
        CalibrationImages(str(folder)).inputs(16, 8, torch.device('cpu'))

"""Pictures and videos as files."""
import pathlib

import cv2
import numpy as np


def picture(seed=0, width=120, height=70):
    """A smooth picture, BGR, that no other seed has."""
    small = np.random.default_rng(seed).integers(0, 256, (7, 12, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def read(path):
    """The pixels of an image file, as they are."""
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)


def write(path, image):
    """Write an image into a folder that need not exist; return the path as text."""
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
    """The frames of a video, and how many it has per second."""
    video = cv2.VideoCapture(str(path))
    frames = []
    while True:
        read, frame = video.read()
        if not read:
            return frames, video.get(cv2.CAP_PROP_FPS)
        frames.append(frame)


def names_in(folder):
    return sorted(p.name for p in pathlib.Path(folder).iterdir())

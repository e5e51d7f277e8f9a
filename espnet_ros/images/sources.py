"""Image sources: webcam, network stream, video, folder, image file or the synthetic street."""
import abc
import glob
import math
import os
import re
import typing

import cv2
import numpy as np

from espnet_ros.errors import ImageError, ParameterError, SourceError, printable
from espnet_ros.images.limits import IMAGE_SUFFIXES, check_size
from espnet_ros.images.pictures import TIMEOUT, public_address, read_image
from espnet_ros.images.resize import resize_for_viewing

if typing.TYPE_CHECKING:
    from espnet_ros.scene.street import StreetPose

LARGEST = 8192
"""Largest width and height in pixels to which images can be resized."""
STREET_SIZE = (1024, 512)
STREET_RATE = 10.0
LOOP_SECONDS = 6.0
"""Of the street's time until it starts again, where it is asked to: each picture is drawn once."""
_LOOP_BYTES = 256 << 20
"""Of the pictures kept for that."""


class Capture(typing.NamedTuple):
    """A picture.

    image: BGR uint8 [H, W, 3], as the sensor took it: an EXIF orientation is ignored. name: file name, or source and
    number. labels: Cityscapes trainIds uint8 [H, W], or None where nobody knows them. pose: scene StreetPose, of the
    street alone; depth: float32 meters [H, W], points: of a lidar (scene.lidar.POINT), both of the street and where
    `wants` has their names.
    """

    image: np.ndarray
    name: str
    labels: typing.Optional[np.ndarray] = None
    pose: typing.Optional['StreetPose'] = None
    depth: typing.Optional[np.ndarray] = None
    points: typing.Optional[np.ndarray] = None


class Source(abc.ABC):
    """An iterable of images from one place; each iteration starts from the beginning and reconnects to a camera.

    live: pictures come at their own pace and wait for nobody. labeled: they have labels. size: (width, height) of all
    pictures, None when unknown or different. rate: pictures per second, 0 when unknown. count: pictures in all, 0 when
    unknown. camera_matrix: K float64 [3, 3] in pixels, or None. problems: a sentence for each image skipped
    because it could not be read. mount: meters of a level camera above the ground, None when unknown. wants: names
    among depth and points that the next captures shall have, where a source can; lidar: (rings, noise in meters).
    Iterating raises SourceError when nothing can be read, and when a live source is lost.
    """

    live = False
    labeled = False
    mount = None
    wants: typing.FrozenSet[str] = frozenset()
    lidar = (16, 0.0)

    def __init__(self, width, height, loop=False):
        self.size = (width, height) if width and height else None
        self.rate = 0.0
        self.count = 0
        self.camera_matrix = None
        self.problems = []
        self._width = width
        self._height = height
        self._loop = loop
        self._captures = iter(())

    def __iter__(self):
        self.close()
        self._captures = self._all()
        return self._captures

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Release the camera or file; call it from the thread that iterates."""
        getattr(self._captures, 'close', lambda: None)()

    def _all(self):
        while True:
            for capture in self._once():
                yield capture._replace(image=_resize(capture.image, self._width, self._height))
            if not self._loop:
                return

    @abc.abstractmethod
    def _once(self):
        """Yield each Capture, at least one, or raise SourceError."""

    def _note(self, problem):
        if problem not in self.problems:
            self.problems.append(problem)


def open_source(address, width=0, height=0, rate=0.0, loop=False):
    """Return the Source at `address`. Raises SourceError, ParameterError.

    address: street or street:SEED (synthetic, endless, with labels), a webcam's index or /dev path, an rtsp:// or
    http:// stream, a video file, an image file, or a folder of images (in natural order of their names).

    width, height: pixels of every picture. 0 and 0 leave it as it comes, one of them keeps the aspect ratio, both
    stretch it. rate: pictures per second of the street's time or asked of a webcam; 0 for their own. loop: files
    start again at their end, the street after LOOP_SECONDS.
    """
    address = str(address)
    for name, value in (('width', width), ('height', height)):
        if not 0 <= value <= LARGEST:
            raise ParameterError('{} is {}; it must be from 0 (as it comes) to {} pixels'.format(name, value, LARGEST))
    if not 0 <= rate < math.inf:
        raise ParameterError('rate is {}; it must be 0 (as it comes) or more pictures per second'.format(rate))
    for pattern, kind in _LIVE_KINDS:
        if re.fullmatch(pattern, address):
            return kind(address, width, height, rate, loop)
    path = os.path.abspath(os.path.expanduser(address))
    if os.path.isdir(path):
        return _Files(_images_in(path), width, height, loop)
    if not os.path.isfile(path):
        raise SourceError('there is no file or folder {}; a source is street, street:SEED, a webcam index, a video, an '
                          'image, a folder of images, or an rtsp:// address'.format(public_address(address)))
    if path.lower().endswith(IMAGE_SUFFIXES):
        read_image(path)
        return _Files([path], width, height, loop)
    return _Video(path, width, height, loop)


def _check_size(size, name):
    """Raise SourceError when an image is too large or empty."""
    try:
        check_size(size[0], size[1], name)
    except ImageError as error:
        raise SourceError(str(error))


class _Street(Source):
    """Endless: picture i is the street at i / rate seconds; those of a loop are drawn before the first one is given."""

    labeled = True

    def __init__(self, address, width, height, rate, loop):
        size = _target_size(STREET_SIZE, width, height)
        super().__init__(*size, loop=loop)
        from espnet_ros.scene import Street  # here, so that commands for files start fast
        self._street = Street(size[0], size[1], street_seed(address))
        self.rate = float(rate or STREET_RATE)
        self.camera_matrix = self._street.camera_matrix
        self.mount = self._street.mount

    def _once(self):
        count = int(min(LOOP_SECONDS * self.rate, _LOOP_BYTES / (4 * self._width * self._height))) if self._loop else 0
        drawn = [self._draw(number, frozenset()) for number in range(count)]
        number = 0
        while True:
            index, wants = number % count if count else number, self.wants
            yield drawn[index] if drawn and not wants else self._draw(index, wants)
            number += 1

    def _draw(self, number, wants):
        time = number / self.rate
        frame = self._street.frame(time, bool(wants))
        points = self._street.lidar(*self.lidar, number=number) if 'points' in wants else None
        return Capture(frame.image, 'street_{:06d}'.format(number), frame.labels, self._street.pose(time),
                       frame.depth if 'depth' in wants else None, points)


class _Files(Source):
    """Image files; damaged ones are skipped."""

    def __init__(self, paths, width, height, loop):
        super().__init__(width, height, loop)
        self.count = len(paths)
        self._paths = paths

    def _once(self):
        good = 0
        for path in self._paths:
            try:
                image = read_image(path)
            except SourceError as error:
                self._note(str(error))
                continue
            good += 1
            yield Capture(image, os.path.basename(path))
        if not good:
            raise SourceError('none of the {} images can be read; the first: {}'.format(
                self.count, self.problems[0]))


class _Video(Source):
    """A video file; a truncated one is read up to its end."""

    def __init__(self, path, width, height, loop):
        super().__init__(width, height, loop)
        self._path = path
        video = self._open()
        self.rate = _sane(video.get(cv2.CAP_PROP_FPS), 1000.0)
        self.count = int(_sane(video.get(cv2.CAP_PROP_FRAME_COUNT), 1e9))
        size = tuple(int(video.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        self.size = _target_size(size, width, height) if min(size) > 0 else self.size
        video.release()

    def _open(self):
        for backend in (cv2.CAP_FFMPEG, cv2.CAP_GSTREAMER):
            video = _open_capture(self._path, backend)
            if video is not None:
                return video
        raise SourceError('{} is not a video that OpenCV can read here; convert it, for instance to MP4 with H.264'
                          .format(printable(self._path)))

    def _once(self):
        stem = os.path.splitext(os.path.basename(self._path))[0]
        number = 0
        for image in _read_all(self._open()):
            yield Capture(image, '{}_{:06d}'.format(stem, number))
            number += 1
        if number == 0:
            raise SourceError('{} has no readable frame; it is empty or damaged'.format(
                printable(self._path)))
        if number < 0.95 * self.count - 1:  # the count in the file is an estimate
            self._note('{} ends after {} of {} frames; it is damaged or truncated'.format(
                printable(self._path), number, self.count))


class _Webcam(Source):
    live = True

    def __init__(self, address, width, height, rate, _loop):
        super().__init__(width, height)
        self._path = os.path.realpath(address if address.startswith('/') else '/dev/video' + address)
        self._rate = rate
        self._index()

    def _index(self):
        """Return the number of the video device. Raises SourceError."""
        found = re.fullmatch('/dev/video([0-9]{1,4})', self._path)
        if found is None or not os.path.exists(self._path):
            cameras = sorted(glob.glob('/dev/video*'), key=_natural)
            raise SourceError('there is no camera {}; {}'.format(self._path, (
                'plug it in, or choose one of ' + ', '.join(cameras)) if cameras else 'no camera is plugged in'))
        return int(found.group(1))

    def _once(self):
        camera = _open_capture(self._index(), cv2.CAP_V4L2)
        if camera is None:
            raise SourceError('cannot open camera {}; check that no other program uses it and that you have permission '
                              '(group video)'.format(self._path))
        for key, value in ((cv2.CAP_PROP_FRAME_WIDTH, self._width), (cv2.CAP_PROP_FRAME_HEIGHT, self._height),
                           (cv2.CAP_PROP_FPS, self._rate)):
            if value:
                camera.set(key, value)
        for number, image in enumerate(_read_all(camera)):
            yield Capture(image, '{}_{:06d}'.format(os.path.basename(self._path), number))
        raise SourceError('camera {} delivers no more images; plug it in again'.format(self._path))


class _Stream(Source):
    live = True

    def __init__(self, address, width, height, rate, _loop):
        super().__init__(width, height)
        self._address = address

    def _once(self):
        stream = _open_capture(self._address, cv2.CAP_FFMPEG, _TIMEOUTS)
        if stream is None:
            raise SourceError('cannot open the stream {}; check the address and that the camera is on'.format(
                public_address(self._address)))
        for number, image in enumerate(_read_all(stream)):
            yield Capture(image, 'stream_{:06d}'.format(number))
        raise SourceError('the stream {} delivers no more images'.format(public_address(self._address)))


_STREET = 'street(?::([0-9]{1,18}))?'


def street_seed(address):
    """Return the seed of the street that `open_source` opens at an address, None of any other source."""
    found = re.fullmatch(_STREET, address)
    return None if found is None else int(found.group(1) or 0)


_LIVE_KINDS = (
    (_STREET, _Street),
    ('[0-9]{1,4}|/dev/(?!shm/).+', _Webcam),  # /dev/shm holds files
    ('(rtsp|rtsps|rtmp|http|https|udp)://.+', _Stream),
)

_TIMEOUTS = [value for name in ('CAP_PROP_OPEN_TIMEOUT_MSEC', 'CAP_PROP_READ_TIMEOUT_MSEC') if hasattr(cv2, name)
             for value in (getattr(cv2, name), int(1000 * TIMEOUT))]


def _open_capture(what, backend, settings=()):
    """Return an open cv2.VideoCapture, or None."""
    # OpenCV and FFmpeg print messages for developers; users get our error messages instead.
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
    logging = getattr(getattr(cv2, 'utils', None), 'logging', None)
    if logging is not None:
        logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(what, backend, list(settings)) if settings else cv2.VideoCapture(what, backend)
    except (cv2.error, UnicodeError):
        return None
    if not capture.isOpened():
        return None
    if hasattr(cv2, 'CAP_PROP_ORIENTATION_AUTO'):
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
    return capture


def _read_all(capture):
    """Yield BGR images until there are no more, then release the cv2.VideoCapture."""
    size = [int(_sane(capture.get(key), 1e9)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
    try:
        if min(size) > 0:
            _check_size(size, 'a video frame')
        while True:
            try:
                done, image = capture.read()
            except (cv2.error, MemoryError):
                return
            if not done:
                return
            _check_size(image.shape[1::-1], 'a video frame')
            yield image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    finally:
        capture.release()


def _images_in(folder):
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise SourceError('cannot read the folder {}: {}'.format(printable(folder), error.strerror))
    paths = [os.path.join(folder, name) for name in sorted(names, key=_natural)
             if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith('.')]
    if not paths:
        raise SourceError('the folder {} holds no images ({})'.format(printable(folder), ', '.join(IMAGE_SUFFIXES)))
    return paths


def _natural(name):
    """Sort key that puts frame 9 before frame 10."""
    return [(int(part) if part.isdecimal() else 0, part) for part in re.split('([0-9]+)', name)]


def _target_size(size, width, height):
    """Size (width, height) in pixels that open_source's width and height make of a picture's."""
    if width and height:
        return width, height
    if width:
        return width, max(1, int(round(size[1] * width / size[0])))
    if height:
        return max(1, int(round(size[0] * height / size[1]))), height
    return size


def _resize(image, width, height):
    target = _target_size(image.shape[1::-1], width, height)
    _check_size(target, 'the resized image')
    return resize_for_viewing(image, *target)


def _sane(value, limit):
    """Return a property that a video reports, or 0 where it is implausible."""
    return float(value) if 0 < value <= limit else 0.0

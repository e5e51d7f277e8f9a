"""Video files that browsers and phones play: MP4 with H.264, by PyAV."""
import fractions

import cv2

from espnet_ros.errors import ParameterError

CODECS = ('libx264', 'libvpx-vp9')
"""FFmpeg's encoders, the first that is there is used; both are played by browsers."""
_OPTIONS = {'libx264': {'preset': 'ultrafast', 'crf': '23'},  # 3 ms a frame of 640x480, a third of mp4v's time
            'libvpx-vp9': {'deadline': 'realtime', 'cpu-used': '8', 'crf': '32', 'b': '0'}}


class VideoFile:
    """An MP4 that grows frame by frame; close() completes it.

    path: where to write. rate: frames per second. All frames have the first one's size. Without PyAV, as on a robot
    with Python 3.6, OpenCV writes MPEG-4 Part 2, which browsers do not play. Raises ParameterError, and OSError when
    the disk is full.
    """

    def __init__(self, path, rate):
        self._path = path
        self._rate = rate
        self._writer = None

    def write(self, image):
        """Add a frame, BGR uint8 [H, W, 3]."""
        if self._writer is None:
            self._writer = _open(str(self._path), self._rate, image.shape[1], image.shape[0])
        self._writer.write(image)

    def close(self):
        """Complete the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _open(path, rate, width, height):
    try:
        import av
    except ImportError:
        return _OpenCVWriter(path, rate, width, height)
    return _PyAVWriter(av, path, rate, width, height)


class _PyAVWriter:
    def __init__(self, av, path, rate, width, height):
        self._av = av
        self._container = av.open(path, 'w', format='mp4', options={'movflags': 'faststart'})
        codec = next((name for name in CODECS if name in av.codecs_available), None)
        if codec is None:
            raise ParameterError('this PyAV encodes none of {}; install its wheel from PyPI'.format(', '.join(CODECS)))
        self._stream = self._container.add_stream(codec, rate=fractions.Fraction(rate).limit_denominator(1001))
        # 4:2:0 takes even sides.
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = 'yuv420p'
        self._stream.options = _OPTIONS[codec]
        self._stream.thread_count = 1  # the network needs the other cores

    def write(self, image):
        right, below = image.shape[1] % 2, image.shape[0] % 2
        if right or below:
            image = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE)
        self._mux(self._av.VideoFrame.from_ndarray(image, 'bgr24'))

    def close(self):
        self._mux(None)
        self._container.close()

    def _mux(self, frame):
        for packet in self._stream.encode(frame):
            self._container.mux(packet)


class _OpenCVWriter:
    def __init__(self, path, rate, width, height):
        self._path = path
        self._count = 0
        self._writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*'mp4v'), rate, (width, height))
        if not self._writer.isOpened():
            raise ParameterError("OpenCV cannot write the video '{}'; install PyAV (pip install av)".format(path))

    def write(self, image):
        self._writer.write(image)
        self._count += 1

    def close(self):
        self._writer.release()
        check = cv2.VideoCapture(self._path)  # OpenCV says nothing when a disk is full
        written = int(check.get(cv2.CAP_PROP_FRAME_COUNT))
        check.release()
        if written != self._count:
            raise ParameterError("the video '{}' took {} of {} frames; is the disk full?".format(
                self._path, written, self._count))

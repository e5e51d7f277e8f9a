"""What `espnet-ros predict` does with an image, a video, a camera and a slide."""
import json
import os
import pathlib
import shutil
import statistics
import sys
import textwrap
import time
import typing

import cv2
import numpy as np

from espnet_ros import models
from espnet_ros.cli.files import make_folder, replacing, write_image, writing_video
from espnet_ros.cli.predict import IMAGE_ENDINGS, SLIDE_ENDINGS, VIDEO_ENDING
from espnet_ros.cli.submission import SERVERS
from espnet_ros.engine import build_engine
from espnet_ros.engine.pytorch_engine import check_speed
from espnet_ros.errors import ImageError, ParameterError, SourceError, printable
from espnet_ros.images import render
from espnet_ros.images import sources as capture
from espnet_ros.images.pictures import public_address, read_image, read_image_at
from espnet_ros.labels import UNLABELED
from espnet_ros.labels.palettes import PALETTES
from espnet_ros.models.onnx_file import OnnxNetwork
from espnet_ros.segmenter import Segmenter, Timings, input_size
from espnet_ros.slides.reader import Slide
from espnet_ros.slides.stitching import Stitcher, write_labels

VIDEO_RATE = 25.0
"""Frames per second of a video that does not say so itself."""
CAMERA_RATE = 10.0
"""Frames per second of the video of a camera: pictures are repeated to keep time with it."""
SLIDE_PARTIAL = '_labels.partial'
SLIDE_PICTURE = 2048
"""Longest side of a slide's picture in pixels."""
WINDOW = 'espnet-ros predict'


def load(model, size, options, has_slides=False):
    """Return the Segmenter of a models.Model for the options of `predict`. Raises EspnetError."""
    network = models.load(model)
    upsampling = options.upsampling
    if upsampling == 'auto':
        # Only PyTorch gives the scores; at the network's size there is nothing to resize.
        gives_scores = (options.backend in ('auto', 'torch') and options.precision != 'int8'
                        and options.output_size == 'camera' and not isinstance(network, OnnxNetwork))
        upsampling = 'bilinear' if gives_scores else 'nearest'
    # Tiles of slides need scores as well.
    backend = 'torch' if options.backend == 'auto' and (upsampling == 'bilinear' or has_slides) else options.backend
    if options.backend == 'auto' and backend == 'torch':
        check_speed(options.device, options.precision)
    width, height = input_size(model.card, *size)
    engine = build_engine(model.card, network, width, height, backend, options.device, options.precision, strict=True)
    if engine.fallback:
        print('espnet-ros: warning: {}; {} takes its place'.format(engine.fallback, engine.describe().backend),
              file=sys.stderr)
    return Segmenter(engine, options.output_size, upsampling)


class Predictor:
    """Segments inputs and writes what the options ask for.

    timings: an entry for every frame. tiles: number of those of finished slides. is_closed: whether the user wants to
    see no more.
    """

    def __init__(self, segmenter, options):
        self.segmenter = segmenter
        self.timings: typing.List[Timings] = []
        self.tiles = 0
        self.is_closed = False
        self._options = options
        self._label_set = PALETTES[options.palette](segmenter.engine.card.label_set)
        self._palette = self._label_set.palette()[:, ::-1]
        self._pixels = np.zeros(256)
        self._submitted: typing.Set[pathlib.Path] = set()
        self._window = Window() if options.show else None

    def run(self, job, steps):
        """Segment one input and return a sentence for whatever is wrong with it. Raises ParameterError."""
        try:
            return (self._slide if job.is_slide else self._image if job.is_image else self._video)(job, steps)
        except (ImageError, SourceError) as error:
            return [error]

    def _image(self, job, steps):
        read = read_image_at if isinstance(job.source, str) else read_image
        if self._options.submit:
            self._submit(read(str(job.source)), job, SERVERS[self._options.submit])
            steps.advance()
            return ()
        pictures = self._segment(read(str(job.source)), job)
        make_folder(job.target.parent)
        _write(job.target, pictures)
        steps.advance()
        self._show(pictures, is_still=True)
        return ()

    def _submit(self, image, job, server):
        target = job.target.parent / server.path(pathlib.Path(str(job.source)).stem)
        if target in self._submitted:
            raise SourceError("'{}' has the name of an image before it, whose file stays".format(
                printable(str(job.source))))
        self._submitted.add(target)
        labels = self._labels(image, job)
        make_folder(target.parent)
        with replacing(target) as temporary:
            temporary.write_bytes(server.content(labels))

    def _slide(self, job, steps):
        """Write labels and picture of a slide; one that is interrupted goes on next time."""
        slide = Slide(job.source.resolve())
        make_folder(job.target.parent)
        partial = _named(job.target, SLIDE_PARTIAL)
        _check_space(partial, 2 * slide.width * slide.height)  # the labels so far, and the TIFF of them
        stitcher = Stitcher(slide, self.segmenter.engine, self._options.overlap, partial)
        steps.extend(stitcher.tiles - 1)
        steps.skip(stitcher.done)
        stitcher.run(steps.advance)
        self.tiles += stitcher.tiles
        with replacing(_named(job.target, SLIDE_ENDINGS[0])) as temporary:
            write_labels(temporary, stitcher, slide.width, slide.height)
        factor = -(-max(slide.width, slide.height) // SLIDE_PICTURE)
        columns = np.minimum(np.arange(0, slide.width, factor) + factor // 2, slide.width - 1)
        labels = np.stack([rows[len(rows) // 2, columns] for rows in stitcher.rows(factor)])
        write_image(_named(job.target, SLIDE_ENDINGS[1]), render.colorize(labels, self._palette))
        shutil.rmtree(partial)
        return ()

    def _video(self, job, steps):
        frames = _named(job.target, '_frames')
        address = job.source if isinstance(job.source, str) else job.source.absolute()
        with capture.open_source(address) as source:
            steps.extend(min(source.count, self._options.frames or source.count) - 1)
            make_folder(job.target.parent)
            rate = CAMERA_RATE if source.live else source.rate or VIDEO_RATE
            with writing_video(_named(job.target, VIDEO_ENDING), rate) as write:
                try:
                    self._follow(source, job, write, frames, steps)
                except KeyboardInterrupt:
                    if not source.live:
                        raise
                    self.is_closed = True  # the way to end it; what there is becomes a video
        return source.problems

    def _follow(self, source, job, write, frames, steps):
        began, written = time.monotonic(), 0
        for number, shot in enumerate(source, 1):
            pictures = self._segment(shot.image, job, number - 1)
            due = round((time.monotonic() - began) * CAMERA_RATE) if source.live else number
            for _ in range(max(1, due - written)):
                write(pictures[-1])
                written += 1
            if self._options.every and (number - 1) % self._options.every == 0:
                make_folder(frames)
                _write(frames / '{:06d}'.format(number - 1), pictures)
            if source.live:
                steps.extend(1 if number > 1 else 0)
            steps.advance()
            self._show(pictures)
            if self.is_closed or number == self._options.frames:
                return

    def _labels(self, image, job, number=None):
        """Return the labels of a BGR image, and count and print their shares."""
        result = self.segmenter.segment(image, threshold=self._options.confidence_threshold)
        self.timings.append(result.timings)
        labels = result.labels
        shares = np.bincount(labels.ravel(), minlength=256) / labels.size
        self._pixels += shares
        if self._options.json:
            print(json.dumps({'input': public_address(str(job.source)), **({} if number is None else {'frame': number}),
                              'width': labels.shape[1], 'height': labels.shape[0],
                              'shares': {name: round(value, 6) for name, value in self._named_shares(shares)}}),
                  flush=True)
        return labels

    def _segment(self, image, job, number=None):
        """Return labels, colors and overlay of a BGR image, in the order of IMAGE_ENDINGS."""
        labels = self._labels(image, job, number)
        image = self.segmenter.at_output_size(image)
        color = render.colorize(labels, self._palette)
        overlay = render.overlay(image, color, self._options.alpha, labels)
        if self._options.outlines:
            overlay = render.outline(overlay, labels)
        if self._options.legend:
            overlay = render.add_legend(overlay, self._label_set)
        return labels, color, overlay

    def _named_shares(self, shares):
        return [(c.name, float(shares[c.id])) for c in self._label_set.classes] + [
            ('unlabeled', float(shares[UNLABELED]))]

    def _show(self, pictures, is_still=False):
        if self._window is not None:
            self.is_closed = not self._window.show(pictures[-1], is_still)

    def summary(self, done, inputs, folder, unit='frames'):
        """Return what was done, the share of each class and the time of a frame as text."""
        engine = self.segmenter.engine
        info = engine.describe()
        medians = ['{} {:.1f} ms'.format(stage, 1000 * statistics.median(seconds))
                   for stage, seconds in zip(Timings._fields, zip(*self.timings))]
        lines = ['{} of {} inputs, {} {}: {}'.format(
            done, inputs, len(self.timings) + self.tiles, unit, folder)]
        about = 'model {} at {}x{}, {} in {} on {}'.format(
            engine.card.name, engine.width, engine.height, info.backend, info.precision, info.device)
        if not self.timings:
            return '\n'.join([*lines, about])
        shares = sorted(self._named_shares(self._pixels / len(self.timings)), key=lambda item: -item[1])
        return '\n'.join([
            *lines, *textwrap.wrap('pixels: ' + ', '.join('{} {:.1f} %'.format(name, 100 * value)
                                                  for name, value in shares if value >= 0.0005), 80),
            '{}, {} upsampling'.format(about, self.segmenter.upsampling),
            'median of a frame: {}'.format(', '.join(medians))])


class Window:
    """A window of this machine's screen. Raises ParameterError where there is none."""

    def __init__(self):
        if sys.platform.startswith('linux') and not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
            raise ParameterError('--show needs a display, and neither DISPLAY nor WAYLAND_DISPLAY is set; over SSH use '
                                 'ssh -X, or look at the files in --out')
        try:
            cv2.namedWindow(WINDOW, cv2.WINDOW_NORMAL)
        except cv2.error:
            raise ParameterError('--show needs an OpenCV with windows, and this one has none; install the package '
                                 'python3-opencv, or opencv-python instead of opencv-python-headless')

    @staticmethod
    def show(picture, is_still):
        """Show a BGR image, until a key is pressed where it is a still one; return False if the user wants no more."""
        cv2.imshow(WINDOW, picture)
        while True:
            key = cv2.waitKey(50 if is_still else 1)
            if key & 0xff in (27, ord('q')) or cv2.getWindowProperty(WINDOW, cv2.WND_PROP_VISIBLE) < 1:
                return False
            if key != -1 or not is_still:
                return True


def _check_space(folder, wanted):
    free = shutil.disk_usage(str(folder.parent)).free
    if wanted > free + sum(path.stat().st_size for path in folder.glob('*')):  # of an interrupted segmentation
        raise ParameterError("the labels need {:.1f} GB in '{}', where {:.1f} GB are free; choose another folder with "
                             '--out'.format(wanted / 1e9, folder.parent, free / 1e9))


def _write(target, pictures):
    for ending, picture in zip(IMAGE_ENDINGS, pictures):
        write_image(_named(target, ending), picture)


def _named(target, ending):
    return target.with_name(target.name + ending)

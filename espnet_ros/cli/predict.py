"""`espnet-ros predict`: labels, colors and overlays of images, videos and slides."""
import argparse
import itertools
import pathlib
import shutil
import statistics
import sys
import typing

import numpy as np

from espnet_ros import models
from espnet_ros.cli.files import is_image, make_folder, pictures_at, replacing, write_image, writing_video
from espnet_ros.cli.progress import Steps
from espnet_ros.cli.submission import SERVERS
from espnet_ros.engine import BACKENDS, PRECISIONS, build_engine
from espnet_ros.errors import ImageError, ParameterError, SourceError, printable
from espnet_ros.images import render
from espnet_ros.images import sources as capture
from espnet_ros.labels.palettes import PALETTES
from espnet_ros.segmenter import OUTPUT_SIZES, UPSAMPLINGS, Segmenter, Timings, input_size
from espnet_ros.slides.grid import OVERLAP
from espnet_ros.slides.reader import SLIDE_SUFFIXES, Slide
from espnet_ros.slides.stitching import Stitcher, write_labels

DESCRIPTION = """Segment images, videos and whole-slide images. For each image, DIR gets
  <stem>_labels.png    class ids of the model's label set, 255 where unlabeled
  <stem>_color.png     the classes in their colors
  <stem>_overlay.jpg   the colors over the image
and for each video <stem>_overlay.mp4. Older files of these names are replaced.
Where two inputs have one stem, the later one's files are called <folder>_<stem>.
Images are taken as the sensor saw them, without the EXIF orientation; 16 bits become
8, transparency is dropped. Inputs that cannot be read are named and left out, and the
exit code is then 1.

With --submit, DIR gets the files that a benchmark's server takes instead:
  cityscapes  CITY_000000_000019_pred_labelIds.png: labelIds
  voc         results/VOC2012/Segmentation/comp6_test_cls/2008_000001.png: with VOC's palette
Add --upsampling bilinear --backend torch to resize logits, as in the paper.

A slide (a scanner's file, or with --tiles any TIFF in tiles) is read at full resolution in
overlapping tiles of the network's input size, whose logits are averaged; it may be larger
than memory. DIR gets <stem>_labels.tif, a TIFF in tiles, and <stem>_color.png, which is
reduced. The same command goes on where it was interrupted. Of the other options, the sizes,
--palette and --device count."""

IMAGE_ENDINGS = ('_labels.png', '_color.png', '_overlay.jpg')
VIDEO_ENDING = '_overlay.mp4'
SLIDE_ENDINGS = ('_labels.tif', '_color.png')
SLIDE_PARTIAL = '_labels.partial'
SLIDE_PICTURE = 2048
"""Longest side of a slide's picture in pixels."""
VIDEO_RATE = 25.0
"""Frames per second of a video that does not say so itself."""


def add_arguments(parser):
    def add(flag, text, **settings):
        parser.add_argument(flag, help=text + ' (default: %(default)s)', **settings)

    parser.add_argument('inputs', metavar='IMAGE_OR_VIDEO', nargs='+',
                        help="a file, a folder of files, or a quoted pattern such as 'drive/*.png'")
    parser.add_argument('--tiles', action='store_true', help='segment every input in tiles, as a slide')
    add('--overlap', 'pixels that tiles of a slide share with their neighbors', type=_pixels, metavar='PIXELS',
        default=OVERLAP)
    add('--model', 'name of `espnet-ros models list`, model card (.yaml) or weights file', metavar='M',
        default=models.DEFAULT)
    add('--out', 'folder for the results', metavar='DIR', default='predictions')
    add('--output-size', "size of the results: the input's or the network's", choices=OUTPUT_SIZES, default='camera')
    add('--upsampling', 'bilinear: the logits are resized, not the labels, as in the paper; with --backend torch',
        choices=UPSAMPLINGS, default='nearest')
    add('--width', "network's input width in pixels, 0 for the model card's", type=int, default=0)
    add('--height', "network's input height in pixels, 0 for the model card's", type=int, default=0)
    add('--confidence-threshold', 'pixels less certain than this, 0 to 1, become unlabeled', type=_share, default=0.0,
        metavar='SHARE')
    add('--alpha', 'opacity of the colors in overlays, 0 to 1', type=_share, default=0.5, metavar='SHARE')
    parser.add_argument('--legend', action='store_true', help='name the classes beside overlays')
    parser.add_argument('--outlines', action='store_true', help='draw lines between classes in overlays')
    parser.add_argument('--palette', choices=PALETTES, default='own',
                        help="colors: the card's own, or color-blind for all kinds of color vision (default: own)")
    parser.add_argument('--submit', choices=tuple(SERVERS), help="write files for this benchmark's server instead")
    parser.add_argument('--every', type=_natural, metavar='N',
                        help='of every Nth video frame, also write what an image gets, to <stem>_frames/<number>_*')
    add('--backend', 'what runs the network', choices=BACKENDS, default='auto')
    add('--device', 'auto, cpu, cuda or cuda:N', default='auto')
    add('--precision', 'of the computation', choices=PRECISIONS, default='auto')


def run(options):
    model = models.find(options.model)
    width, height = input_size(model.card, options.width, options.height)
    folder = pathlib.Path(options.out)
    jobs = jobs_for(options.inputs, folder, options.tiles)
    if options.submit:
        SERVERS[options.submit].check(model.card.label_set)
        if options.output_size != 'camera' or not all(is_image(job.path) and not job.is_slide for job in jobs):
            raise ParameterError("--submit takes images, and gives labels of the images' own size")
    make_folder(folder)
    backend = options.backend
    if any(job.is_slide for job in jobs):
        backend = 'torch' if backend == 'auto' else backend  # which gives logits
        if options.confidence_threshold:
            raise ParameterError('--confidence-threshold is for images and videos, not for slides')
    engine = build_engine(
        model.card, models.load(model), width, height, backend, options.device, options.precision, strict=True)
    if engine.fallback:
        print('espnet-ros: warning: {}; {} takes its place'.format(engine.fallback, engine.describe().backend),
              file=sys.stderr)
    predictor = Predictor(Segmenter(engine, options.output_size, options.upsampling), options)
    bad = 0
    unit = 'tiles' if all(job.is_slide for job in jobs) else 'frames'
    with Steps(len(jobs), unit) as steps:
        for job in jobs:
            steps.describe(job.path.name)
            try:
                problems = predictor.segment(job, steps)
            except (ImageError, SourceError) as error:
                problems = [error]
            bad += bool(problems)
            for problem in problems:
                print('espnet-ros: error: ' + printable(problem), file=sys.stderr)
    if predictor.timings or bad < len(jobs):
        print(_summary(predictor, len(jobs), bad, folder, unit))
    return 1 if bad else 0


class Job(typing.NamedTuple):
    """An input file, the path that its results' names begin with, and whether it is a slide."""

    path: pathlib.Path
    target: pathlib.Path
    is_slide: bool = False

    @property
    def endings(self):
        """What the results' names end with, frames of videos apart."""
        return SLIDE_ENDINGS if self.is_slide else IMAGE_ENDINGS if is_image(self.path) else (VIDEO_ENDING,)


def jobs_for(inputs, folder, tiles=False):
    """Return the Jobs of files, folders and patterns, in order, each file once. tiles: whether all are slides.

    Raises SourceError when one matches nothing, ParameterError when a result would replace an input.
    """
    paths = list(dict.fromkeys(itertools.chain.from_iterable(map(pictures_at, inputs))))
    sources = {path.resolve() for path in paths}
    taken: typing.Set[str] = set()
    jobs = []
    for path in paths:
        longer = '{}_{}'.format(path.resolve().parent.name, path.stem)
        names = itertools.chain([path.stem, longer], ('{}_{}'.format(longer, n) for n in itertools.count(2)))
        stem = next(name for name in names if name.casefold() not in taken)
        taken.add(stem.casefold())
        job = Job(path, folder / stem, tiles or path.suffix.lower() in SLIDE_SUFFIXES)
        for ending in job.endings:
            if (folder / (stem + ending)).resolve() in sources:
                raise ParameterError("the result '{}' would replace an input; choose another folder with --out".format(
                    folder / (stem + ending)))
        jobs.append(job)
    return jobs


class Predictor:
    """Segments images, videos and slides and writes what the options ask for.

    timings: of every frame. tiles: number of those of finished slides.
    """

    def __init__(self, segmenter, options):
        self.segmenter = segmenter
        self.timings: typing.List[Timings] = []
        self.tiles = 0
        self._options = options
        self._label_set = PALETTES[options.palette](segmenter.engine.card.label_set)
        self._palette = self._label_set.palette()[:, ::-1]

    def segment(self, job, steps):
        """Write the results of a Job; return a sentence for whatever is wrong with it. Raises as `image` does."""
        return (self.slide if job.is_slide else self.image if is_image(job.path) else self.video)(job, steps)

    def slide(self, job, steps):
        """Write labels and picture of a slide; one that is interrupted goes on next time. Raises as `image` does."""
        slide = Slide(job.path.resolve())
        partial = _named(job.target, SLIDE_PARTIAL)
        _check_space(partial.parent, 2 * slide.width * slide.height)  # the labels so far, and the TIFF of them
        stitcher = Stitcher(slide, self.segmenter.engine, self._options.overlap, partial)
        steps.extend(stitcher.tiles - 1)
        steps.skip(stitcher.done)
        stitcher.run(steps.advance)
        self.tiles += stitcher.tiles
        with replacing(_named(job.target, SLIDE_ENDINGS[0])) as temporary:
            write_labels(temporary, stitcher, slide.width, slide.height)
        factor = -(-max(slide.width, slide.height) // SLIDE_PICTURE)
        labels = np.concatenate([rows[factor // 2::factor, factor // 2::factor] for rows in stitcher.rows(
            256 * factor)])
        write_image(_named(job.target, SLIDE_ENDINGS[1]), render.colorize(labels, self._palette))
        shutil.rmtree(partial)
        return ()

    def image(self, job, steps):
        """Write the three pictures of an image. Raises ImageError, SourceError or ParameterError."""
        if self._options.submit:
            self._submit(job, SERVERS[self._options.submit])
        else:
            _write(job.target, self._segment(capture.read_image(str(job.path))))
        steps.advance()
        return ()

    def video(self, job, steps):
        """Write the overlay of a video, and the three pictures of every Nth frame. Raises as `image` does.

        Returns a sentence for whatever is wrong with the video.
        """
        frames = _named(job.target, '_frames')
        with capture.open_source(job.path.absolute()) as source:
            steps.extend(source.count - 1)
            with writing_video(_named(job.target, VIDEO_ENDING), source.rate or VIDEO_RATE) as write:
                for number, shot in enumerate(source):
                    pictures = self._segment(shot.image)
                    write(pictures[-1])
                    if self._options.every and number % self._options.every == 0:
                        make_folder(frames)
                        _write(frames / '{:06d}'.format(number), pictures)
                    steps.advance()
        return source.problems

    def _submit(self, job, server):
        target = job.target.parent / server.path(job.path.stem)
        result = self.segmenter.segment(capture.read_image(str(job.path)), threshold=self._options.confidence_threshold)
        self.timings.append(result.timings)
        make_folder(target.parent)
        with replacing(target) as temporary:
            temporary.write_bytes(server.content(result.labels))

    def _segment(self, image):
        """Return labels, colors and overlay of a BGR image, in the order of IMAGE_ENDINGS."""
        result = self.segmenter.segment(image, threshold=self._options.confidence_threshold)
        self.timings.append(result.timings)
        labels = result.labels
        image = self.segmenter.at_output_size(image)
        color = render.colorize(labels, self._palette)
        overlay = render.overlay(image, color, self._options.alpha, labels)
        if self._options.outlines:
            overlay = render.outline(overlay, labels)
        if self._options.legend:
            overlay = render.add_legend(overlay, self._label_set)
        return labels, color, overlay


def _check_space(folder, wanted):
    free = shutil.disk_usage(folder).free
    if wanted > free:
        raise ParameterError("the labels need {:.1f} GB in '{}', where {:.1f} GB are free; choose another folder with "
                             '--out'.format(wanted / 1e9, folder, free / 1e9))


def _write(target, pictures):
    for ending, picture in zip(IMAGE_ENDINGS, pictures):
        write_image(_named(target, ending), picture)


def _named(target, ending):
    return target.with_name(target.name + ending)


def _summary(predictor, inputs, bad, folder, unit):
    engine = predictor.segmenter.engine
    info = engine.describe()
    medians = ['{} {:.1f} ms'.format(stage, 1000 * statistics.median(seconds))
               for stage, seconds in zip(Timings._fields, zip(*predictor.timings))]
    return '{} of {} inputs, {} {}: {}\nmodel {} at {}x{}, {} in {} on {}{}'.format(
        inputs - bad, inputs, len(predictor.timings) + predictor.tiles, unit, folder, engine.card.name, engine.width,
        engine.height, info.backend, info.precision, info.device,
        '\nmedian of a frame: ' + ', '.join(medians) if medians else '')


def _share(text):
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError('{} is not between 0 and 1'.format(text))
    return value


def _pixels(text):
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError('{} is below 0'.format(text))
    return value


def _natural(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError('{} is not 1 or more'.format(text))
    return value


_share.__name__ = 'number'
_natural.__name__ = _pixels.__name__ = 'whole number'  # what argparse calls them in its messages

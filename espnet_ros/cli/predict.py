"""`espnet-ros predict`: labels, colors and overlays of images, videos, cameras and slides."""
import itertools
import os
import pathlib
import re
import sys
import typing

from espnet_ros import models
from espnet_ros.cli.files import is_image, make_folder, pictures_at
from espnet_ros.cli.options import add_model, add_size, share, size_of, whole
from espnet_ros.engine import BACKENDS, OUTPUT_SIZES, PRECISIONS, UPSAMPLINGS
from espnet_ros.errors import EspnetError, ParameterError, SourceError, printable
from espnet_ros.labels.palettes import PALETTES
from espnet_ros.slides import SLIDE_SUFFIXES
from espnet_ros.slides.grid import OVERLAP

DESCRIPTION = """Segment images, videos, cameras and whole-slide images. For each image, DIR gets
  <stem>_labels.png    class ids of the model's label set, 255 where unlabeled
  <stem>_color.png     the classes in their colors
  <stem>_overlay.jpg   the colors over the image
and for each video or camera <stem>_overlay.mp4. Older files of these names are
replaced. What lies in folders below a folder gets folders of the same names in DIR.
Where two inputs have one stem, the later one's files are called <folder>_<stem>.
Images are taken as the sensor saw them, without the EXIF orientation; 16 bits
become 8, transparency is dropped. Inputs that cannot be read are named and left
out, and the exit code is then 1. A camera ends with Ctrl-C or --frames.
Edges are smooth: as in the paper, the network's scores are resized to the image and
not its labels. PyTorch then runs the network, and an image takes about four times
the CPU time of --upsampling nearest with OpenVINO.

With --submit, DIR gets the files that a benchmark's server takes instead:
  cityscapes  CITY_000000_000019_pred_labelIds.png: labelIds
  voc         results/VOC2012/Segmentation/comp6_test_cls/2008_000001.png: with VOC's palette

A slide (a scanner's file, or with --tiles any TIFF in tiles) is read at full resolution in
overlapping tiles of the network's input size, whose logits are averaged; it may be larger
than memory. DIR gets <stem>_labels.tif, a TIFF in tiles, and <stem>_color.png, which is
reduced. The same command goes on where it was interrupted. Of the other options --size,
--palette, --device, --backend torch and --precision count."""

IMAGE_ENDINGS = ('_labels.png', '_color.png', '_overlay.jpg')
VIDEO_ENDING = '_overlay.mp4'
SLIDE_ENDINGS = ('_labels.tif', '_color.png')
_ADDRESS = '[0-9]{1,4}|/dev/(?!shm/).+|(rtsp|rtsps|rtmp|http|https|udp)://.+'
"""Webcams and network addresses, which are no paths."""


def add_arguments(parser):
    def add(flag, text, **settings):
        parser.add_argument(flag, help=text + ' (default: %(default)s)', **settings)

    parser.add_argument('inputs', metavar='INPUT', nargs='+',
                        help='an image or video, a folder of images, a quoted pattern such as \'drive/*.png\', the '
                        'index of a webcam, the address of a picture (http) or of a camera (rtsp, http)')
    parser.add_argument('--tiles', action='store_true', help='segment every input in tiles, as a slide')
    add('--overlap', 'pixels that tiles of a slide share with their neighbors', type=whole(0), metavar='PIXELS',
        default=OVERLAP)
    add_model(parser, models.DEFAULT)
    add('--out', 'folder for the results', metavar='DIR', default='predictions')
    add_size(parser)
    add('--output-size', "size of the results: the input's or the network's", choices=OUTPUT_SIZES, default='camera')
    add('--upsampling', 'bilinear: of the scores, as in the paper; nearest: of the labels, faster; auto: bilinear '
        'where --backend and --precision allow it', choices=('auto',) + UPSAMPLINGS, default='auto')
    add('--confidence-threshold', 'pixels less certain than this, 0 to 1, become unlabeled', type=share, default=0.0,
        metavar='SHARE')
    add('--alpha', 'opacity of the colors in overlays, 0 to 1', type=share, default=0.5, metavar='SHARE')
    parser.add_argument('--legend', action='store_true', help='name the classes beside overlays')
    parser.add_argument('--outlines', action='store_true', help='draw lines between classes in overlays')
    parser.add_argument('--palette', choices=PALETTES, default='own',
                        help="colors: the card's own, or color-blind for all kinds of color vision (default: own)")
    parser.add_argument('--submit', choices=('cityscapes', 'voc'),
                        help="write files for this benchmark's server instead")
    parser.add_argument('--every', type=whole(1), metavar='N',
                        help='of every Nth video frame, also write what an image gets, to <stem>_frames/<number>_*')
    parser.add_argument('--frames', type=whole(1), metavar='N', help='of each video or camera, only the first N')
    parser.add_argument('--show', action='store_true',
                        help='show overlays in a window; any key goes on to the next image, q ends')
    parser.add_argument('--json', action='store_true',
                        help='print a line of JSON for each image or frame: its file and the share of each class')
    add('--backend', 'what runs the network: ' + ', '.join(BACKENDS), metavar='ENGINE', choices=BACKENDS,
        default='auto')
    add('--device', 'auto, cpu, cuda or cuda:N', default='auto')
    add('--precision', 'of the computation', choices=PRECISIONS, default='auto')


def run(options):
    model = models.find(options.model)
    folder = pathlib.Path(options.out)
    jobs, problems = jobs_for(options.inputs, folder, options.tiles)
    if not jobs:
        raise SourceError('; '.join(map(str, problems)))
    if options.submit:
        from espnet_ros.cli.submission import SERVERS
        SERVERS[options.submit].check(model.card.label_set)
        if options.output_size != 'camera' or not all(job.is_image and not job.is_slide for job in jobs):
            raise ParameterError("--submit takes images, and gives labels of the images' own size")
    has_slides = any(job.is_slide for job in jobs)
    if has_slides and options.confidence_threshold:
        raise ParameterError('--confidence-threshold is for images and videos, not for slides')
    make_folder(folder)
    for problem in problems:
        complain(problem)
    from espnet_ros.cli.predictor import Predictor, load
    from espnet_ros.cli.progress import Steps
    predictor = Predictor(load(model, size_of(options), options, has_slides), options)
    done, bad = 0, len(problems)
    unit = 'tiles' if all(job.is_slide for job in jobs) else 'frames'
    with Steps(len(jobs), unit) as steps:
        for job in jobs:
            steps.describe(job.name)
            found = predictor.run(job, steps)
            done += not found
            bad += bool(found)
            for problem in found:
                complain(problem)
            if predictor.is_closed:
                break
    if predictor.timings or predictor.tiles:
        print(predictor.summary(done, len(jobs) + len(problems), folder, unit),
              file=sys.stderr if options.json else None)
    return 1 if bad else 0


def complain(problem):
    """Print what is wrong with one of several inputs."""
    print('espnet-ros: error: ' + printable(problem), file=sys.stderr)


class Job(typing.NamedTuple):
    """An input, a path or an address, the path that its results' names begin with, and whether it is a slide."""

    source: typing.Union[pathlib.Path, str]
    target: pathlib.Path
    is_slide: bool = False

    @property
    def endings(self):
        """What the results' names end with, frames of videos apart."""
        return SLIDE_ENDINGS if self.is_slide else IMAGE_ENDINGS if self.is_image else (VIDEO_ENDING,)

    @property
    def name(self):
        """What to call it while it is processed."""
        return self.source.name if isinstance(self.source, pathlib.Path) else self.target.name

    @property
    def is_image(self):
        """Whether it is one image, rather than a video or a camera."""
        path = self.source
        if isinstance(path, str):
            path = pathlib.Path(re.sub('[?#].*', '', path) if path.startswith('http') else 'camera')
        return is_image(path)


def jobs_for(inputs, folder, tiles=False):
    """Return the Jobs of files, folders, patterns and addresses, in order, each once; and what is wrong with others.

    tiles: whether all files are slides.
    Raises ParameterError when a result would replace an input.
    """
    found: typing.Dict[typing.Any, pathlib.Path] = {}
    problems: typing.List[EspnetError] = []
    for text in inputs:
        if re.match('({})\\Z'.format(_ADDRESS), text) and not os.path.isfile(text) and not os.path.isdir(text):
            found.setdefault(text, pathlib.Path())
            continue
        try:
            for path, below in pictures_at(text, folder):
                found.setdefault(path, below)
        except SourceError as error:
            problems.append(error)
    sources = {path.resolve() for path in found if isinstance(path, pathlib.Path)}
    taken: typing.Set[str] = set()
    jobs = []
    for source, below in found.items():
        stem = source.stem if isinstance(source, pathlib.Path) else _stem(source)
        parent = source.resolve().parent.name if isinstance(source, pathlib.Path) else 'camera'
        longer = '{}_{}'.format(parent, stem)
        names = itertools.chain([stem, longer], ('{}_{}'.format(longer, n) for n in itertools.count(2)))
        target = next(folder / below / name for name in names if str(below / name).casefold() not in taken)
        taken.add(str(below / target.name).casefold())
        job = Job(source, target, isinstance(source, pathlib.Path) and (
            tiles or source.suffix.lower() in SLIDE_SUFFIXES))
        for ending in job.endings:
            if target.with_name(target.name + ending).resolve() in sources:
                raise ParameterError("the result '{}' would replace an input; choose another folder with --out".format(
                    target.with_name(target.name + ending)))
        jobs.append(job)
    return jobs, problems


def _stem(address):
    """Return a name for the results of an address: that of its last part, without what is secret or not for files."""
    if address.isdigit():
        return 'camera' + address
    last = re.sub('[?#].*', '', address).rstrip('/').rpartition('/')[2].rpartition('@')[2]
    last = re.sub('[.][A-Za-z0-9]{2,4}$', '', last)
    return re.sub('[^A-Za-z0-9_-]+', '-', last).strip('-')[:60] or 'stream'

"""Input and output files of commands: images and videos."""
import contextlib
import errno
import glob
import itertools
import os
import pathlib

from espnet_ros.errors import ImageError, ParameterError, SourceError, printable, suggestion
from espnet_ros.files import check_replaceable
from espnet_ros.images.limits import IMAGE_SUFFIXES
from espnet_ros.limits import MAX_FILES


def is_image(path):
    """Return whether the path's suffix is that of an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def pictures_at(text, results=None):
    """Return (path, folder below `text` that it lies in) of the images that a text names, sorted.

    text: one file, a folder, whose images and those below it they are, or a pattern. results: a folder to leave out
    where it lies inside. Raises SourceError when there are none, or too many.
    """
    path = pathlib.Path(os.path.expanduser(text))
    try:
        if path.is_dir():
            found = _pictures_below(path, results)
            if not found:
                raise SourceError("the folder '{}' holds no images ({}); name videos one by one or by a pattern".format(
                    path, ', '.join(IMAGE_SUFFIXES)))
            return found
        found = [path] if path.is_file() else [
            pathlib.Path(p) for p in sorted(glob.glob(str(path), recursive=True)) if os.path.isfile(p)]
    except OSError as error:
        raise SourceError("cannot read '{}': {}".format(path, error.strerror or error))
    if not found:
        raise SourceError("there is no file '{}'{}".format(path, _similar(path)))
    return [(p, pathlib.Path()) for p in found]


def _similar(path):
    """Return what to do about a path where nothing is: the names there that are similar, else what a path may be."""
    try:
        with os.scandir(str(path.parent)) as entries:
            names = [printable(entry.name) for entry in itertools.islice(entries, MAX_FILES)]
    except (OSError, ValueError):
        return "; there is no folder '{}' either, from '{}'".format(path.parent, os.getcwd())
    return suggestion(path.name, names) or '; give a picture, a video, a folder or a pattern such as *.png'


def _pictures_below(folder, results):
    def fail(error):
        raise error
    found, seen = [], 0
    inside = results is not None and results.resolve()
    for place, folders, names in os.walk(str(folder), onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith('.')
                            and pathlib.Path(place, name).resolve() != inside)
        seen += len(names)
        if seen > MAX_FILES:
            raise SourceError("the folder '{}' and those below it hold more than {} files; name one with fewer".format(
                folder, MAX_FILES))
        paths = (pathlib.Path(place, name) for name in sorted(names) if not name.startswith('.'))
        found += [(path, path.parent.relative_to(folder)) for path in paths if is_image(path) and path.is_file()]
    return found


def write_image(path, picture):
    """Encode an image as the suffix of `path` says; an older file stays whole until the new one is complete.

    Raises ParameterError when it cannot be written.
    """
    import cv2  # here and below, so that commands which only look for files start fast
    try:
        done, content = cv2.imencode(path.suffix, picture)
    except cv2.error:
        done = False
    if not done:
        raise ImageError("cannot write '{}': an image of {}x{} pixels cannot be encoded".format(
            path, picture.shape[1], picture.shape[0]))
    with replacing(path) as temporary:
        temporary.write_bytes(content.tobytes())


@contextlib.contextmanager
def writing_video(path, rate):
    """Yield a function that adds a BGR frame to an MP4 of `rate` frames per second; it appears when it is complete.

    All frames have the first one's size. Raises ParameterError when it cannot be written.
    """
    with replacing(path) as temporary:
        from espnet_ros.images.video import VideoFile
        video = VideoFile(temporary, rate)
        yield video.write
        video.close()


@contextlib.contextmanager
def replacing(path):
    """Yield a temporary path that takes the place of `path` when all went well. Raises ParameterError."""
    temporary = path.with_name('.{}-{}{}'.format(path.stem[:40], os.getpid(), path.suffix))
    try:
        check_replaceable(path)
        try:
            yield temporary
            check_replaceable(path)
            os.replace(temporary, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise ImageError("cannot write '{}': its name is too long; give the input a shorter one".format(path))
        raise _unwritable(path, error)


def make_folder(path):
    """Make the folder and those above it. Raises ParameterError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error)


def _unwritable(path, error):
    return ParameterError("cannot write '{}': {}; choose another folder with --out".format(
        path, error.strerror or error))

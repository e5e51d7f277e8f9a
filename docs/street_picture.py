"""Makes docs/overlay.jpg: a photograph of a street beside the classes that the default model gives it."""
import pathlib
import sys
import tempfile

import cv2
import numpy as np

from espnet_ros.cli import main as espnet_ros

ROOT = pathlib.Path(__file__).resolve().parent
STREET = ROOT / 'street.jpg'
HEIGHT = 450


def main():
    """Write the picture to docs/overlay.jpg or to the path that the command line names."""
    with tempfile.TemporaryDirectory() as folder:
        code = espnet_ros(['predict', str(STREET), '--legend', '--upsampling', 'bilinear', '--backend', 'torch',
                           '--out', folder])
        if code:
            sys.exit(code)
        both = [cv2.imread(str(path)) for path in (STREET, pathlib.Path(folder, STREET.stem + '_overlay.jpg'))]
    both = [cv2.resize(picture, (picture.shape[1] * HEIGHT // picture.shape[0], HEIGHT), interpolation=cv2.INTER_AREA)
            for picture in both]
    path = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / 'overlay.jpg')
    cv2.imwrite(path, np.hstack(both), [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == '__main__':
    main()

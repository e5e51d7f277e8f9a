"""Makes docs/ground.png: free space and meters on a street's picture, beside the grid of the last seconds."""
import pathlib
import sys

import cv2
import numpy as np

from espnet_ros.ground.grid import Grid
from espnet_ros.ground.level import LevelView
from espnet_ros.ground.measure import street_lens
from espnet_ros.ground.overlay import draw, from_above
from espnet_ros.ground.pose import mounted
from espnet_ros.ground.scan import Scanner
from espnet_ros.ground.traversability import ground_table, read_traversability
from espnet_ros.labels import CITYSCAPES
from espnet_ros.scene import Street

ROOT = pathlib.Path(__file__).resolve().parent
WIDTH, HEIGHT, SEED, START, FRAMES, RATE = 768, 432, 900039, 57.2, 21, 10.0


def main():
    """Write the picture to docs/ground.png or to the path that the command line names."""
    street = Street(WIDTH, HEIGHT, SEED)
    table = ground_table(read_traversability(ROOT.parent / 'config' / 'traversability.yaml'),
                         {c.id: c.name for c in CITYSCAPES.classes})
    scanner = Scanner(LevelView(street_lens(street, WIDTH, HEIGHT), mounted(street.mount), 20.0), table)
    grid = Grid(44.0, 0.1, 5.0)
    for i in range(FRAMES):
        frame = street.frame(START + i / RATE)
        pose = street.pose(START + i / RATE)
        level = scanner.look(frame.labels)
        contacts = scanner.contacts(level)
        grid.update(scanner, level, contacts, (pose.x, pose.y, pose.yaw), i / RATE)
    left = draw(frame.image, scanner.view, contacts)
    right = from_above(grid.occupancy(), grid.resolution, grid.origin, (pose.x, pose.y, pose.yaw), (HEIGHT, HEIGHT))
    gap = np.full((HEIGHT, 8, 3), 255, np.uint8)
    path = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / 'ground.png')
    cv2.imwrite(path, np.hstack((left, gap, right)), [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == '__main__':
    main()

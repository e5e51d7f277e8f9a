"""Train the default model: python -m espnet_ros.training --camvid FOLDER --out FOLDER."""
import argparse

import torch

from espnet_ros.training.samples import camvid, street
from espnet_ros.training.two_stage import Recipe, train


def main():
    """Train on CamVid train and synthetic streets; measure on CamVid val and on streets with other seeds."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument('--camvid', required=True, help='folder with train, trainannot, val, valannot')
    parser.add_argument('--out', required=True, help='folder for curves, weights and card; resumed when it has some')
    parser.add_argument('--streets', type=int, default=150, help='synthetic frames to mix in (default %(default)s)')
    parser.add_argument('--variant', choices=('espnet', 'espnet-c'), default='espnet',
                        help='network of the second stage (default %(default)s)')
    parser.add_argument('--alpha3', type=int, default=8, help='depth of level 3 (default %(default)s)')
    parser.add_argument('--epochs', type=int, default=60, help='epochs of the second stage (default %(default)s)')
    parser.add_argument('--threads', type=int, default=2, help='CPU threads (default %(default)s)')
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = Recipe(options.variant, options.alpha3, epochs=options.epochs)
    size = recipe.width, recipe.height
    train(recipe, camvid(options.camvid, 'train'), street(options.streets, *size, first_seed=1000),
          {'CamVid val': camvid(options.camvid, 'val'), 'synthetic street': street(40, *size, first_seed=0)},
          options.out)


if __name__ == '__main__':
    main()

#!/bin/sh
# A gate for a robot's CI: fails when the model is no longer good enough on a recording with ground truth.
# Usage: robot_ci.sh RECORDING [MODEL]
set -eu
espnet-ros evaluate "$1" --model "${2:-camvid-espnet-q8}" --out evaluation \
    --min-category-miou 0.6 --min-coverage 0.99

"""python -m espnet_ros.cli is espnet-ros."""
import sys

from espnet_ros.cli import main

sys.exit(main())

"""Runs one image under NVIDIA's profilers, which record the part between start and stop."""
import sys

import torch

from espnet_ros.performance.profile.subject import prepare


def main():
    """Arguments: model, width, height, device, precision, as of subject.prepare."""
    model, width, height, device, precision = sys.argv[1:]
    subject = prepare(model, int(width), int(height), 'torch', device, precision)
    image = subject.tensor
    with torch.inference_mode(), torch.cuda.device(image.device):
        subject.network(image)
        torch.cuda.synchronize()
        torch.cuda.profiler.start()
        subject.network(image)
        torch.cuda.synchronize()
        torch.cuda.profiler.stop()


if __name__ == '__main__':
    main()

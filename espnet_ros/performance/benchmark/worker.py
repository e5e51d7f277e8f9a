"""Runs one pipeline on request: lines of JSON on standard input and output, the first of which configures it."""
import base64
import concurrent.futures
import json
import os
import sys
import time

import cv2

from espnet_ros import models
from espnet_ros.errors import EspnetError
from espnet_ros.images.pictures import read_image
from espnet_ros.models.onnx_file import OnnxNetwork
from espnet_ros.performance.benchmark.baseline import Baseline
from espnet_ros.performance.memory import peak_memory
from espnet_ros.process import tune_process
from espnet_ros.scene import Street

FRAMES = 8
"""Frames of the synthetic street, in turn, where no images are given."""


def main():
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # libraries may print; standard output is for answers alone

    def answer(**values):
        answers.write(json.dumps(values) + '\n')
        answers.flush()
    try:
        settings = json.loads(sys.stdin.readline())
        pipeline, frames, about = configure(settings)
    except EspnetError as error:
        answer(error=str(error))
        return
    answer(**about)
    count = 0
    cameras = settings['cameras'] if settings['shared'] else 1
    pool = concurrent.futures.ThreadPoolExecutor(pipeline.engine.concurrency if cameras > 1 else 1)
    for request in sys.stdin:
        if request == 'labels\n':
            labels = pipeline.segment(frames[0]).labels
            answer(labels=base64.b64encode(cv2.imencode('.png', labels)[1].tobytes()).decode())
        elif request == 'memory\n':
            answer(memory=peak_memory())
        else:
            images = [frames[(count + camera) % len(frames)] for camera in range(cameras)]
            count += cameras
            began, worked = time.perf_counter(), time.process_time()

            def segment(image):
                timings = pipeline.segment(image).timings
                return time.perf_counter() - began, timings  # noqa: B023
            ages, timings = zip(*(map(segment, images) if cameras == 1 else pool.map(segment, images)))
            answer(total=max(ages), ages=ages, cpu=time.process_time() - worked, **timings[-1]._asdict())


def configure(settings):
    """Return (pipeline, frames, description) for measure.Candidate's fields and `images`. Raises EspnetError."""
    card, network, weights = models.load_for_speed(settings['model'])
    width, height = settings['width'], settings['height']
    camera = settings['camera_width'], settings['camera_height']
    frames = [cv2.resize(read_image(path), camera, interpolation=cv2.INTER_AREA) for path in settings['images']]
    if not frames:
        street = Street(*camera)
        frames = [street.frame(0.7 * i).image for i in range(FRAMES)]
    if settings['backend'] == 'baseline' and isinstance(network, OnnxNetwork):  # nothing was published with it
        settings = dict(settings, backend='onnxruntime', precision='fp32', device='cpu')
    if settings['backend'] == 'baseline':
        device = 'cpu' if settings['device'] == 'auto' else settings['device']
        return Baseline(card, network, width, height, device), frames, {
            'backend': 'baseline', 'device': device, 'weights': weights}
    # Only here: the published pipeline had none of that.
    tune_process()
    from espnet_ros.engine import build_engine
    from espnet_ros.segmenter import Segmenter
    engine = build_engine(card, network, width, height, settings['backend'], settings['device'],
                          settings['precision'], strict=True,
                          concurrency=settings['cameras'] if settings['shared'] else 1)
    info = engine.describe()
    device = str(engine.device) if info.backend == 'torch' else 'cuda' if info.backend == 'tensorrt' else 'cpu'
    return Segmenter(engine, 'network'), frames, dict(info._asdict(), weights=weights, torch_device=device)


if __name__ == '__main__':
    main()

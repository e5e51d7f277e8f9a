"""A benchmark's measurement, without measuring."""
from espnet_ros.performance.benchmark.measure import STAGES, Candidate, Measurement
from espnet_ros.performance.contention import Contention
from espnet_ros.performance.statistics import Summary, ratio_of_turns


def measurement(model='a', size=(224, 224), seconds=0.01, precision='fp32', problem='', fallback='', others=0.01,
                speedups=(10.0,) * 10):
    """Return a Measurement in which the baseline takes 10 times `seconds`."""
    candidate = Candidate(model, *size, *size, 'torch', 'cpu', precision)
    if problem:
        return Measurement(candidate, problem=problem)
    stages = {stage: Summary(seconds, 2 * seconds) for stage in STAGES}
    slow = {stage: Summary(10 * seconds, 20 * seconds) for stage in STAGES}
    about = {'backend': 'torch', 'precision': precision, 'weights': 'its own', 'fallback': fallback}
    return Measurement(
        candidate, about, stages, slow,
        ratio_of_turns(speedups, [1.0] * len(speedups)), Contention(others, 0.0, 0.5), 0.995, 300.0)

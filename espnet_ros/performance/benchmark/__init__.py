"""How fast models, engines and sizes are on this machine, beside the pipeline that ESPNet was published with."""
from espnet_ros.performance.benchmark.measure import BASELINE, Candidate, Measurement, Summary, measure

__all__ = ['BASELINE', 'Candidate', 'Measurement', 'Summary', 'measure']

"""Speed of models, engines and input sizes on this machine, beside the pipeline that ESPNet was published with."""

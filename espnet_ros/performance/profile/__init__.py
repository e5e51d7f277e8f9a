"""Where a model's time, energy and memory go on this machine, as in the paper's section 4.4 and appendices C to E."""

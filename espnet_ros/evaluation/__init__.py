"""How right a model is: recordings with ground truth, measured and reported."""

"""The live page: camera and results of a running segmentation node in a browser."""

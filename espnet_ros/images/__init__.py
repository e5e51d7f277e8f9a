"""Images: decoding, sources, drawing."""

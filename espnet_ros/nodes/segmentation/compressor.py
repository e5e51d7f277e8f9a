"""Compresses labels in a thread of its own, off the path of the frame."""
import array
import threading

from sensor_msgs.msg import CompressedImage

from espnet_ros.images.png import labels_to_png
from espnet_ros.nodes.common.slot import NewestSlot

FORMAT = 'mono8; png compressed '
"""What image_transport writes for a mono8 image, so that its subscribers decode to mono8."""


class LabelCompressor:
    """Publishes the newest labels as PNG; labels that come faster than they can be compressed are skipped."""

    def __init__(self, publisher):
        """publisher: of sensor_msgs/CompressedImage."""
        self._publisher = publisher
        self._slot = NewestSlot()
        self._stopped = threading.Event()
        self._thread = None

    def put(self, header, labels):
        """Compress and publish a copy of uint8 [H, W] with `header` soon."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name='compress', daemon=True)
            self._thread.start()
        self._slot.put((header, labels.copy()))  # an engine may use its buffer again

    def close(self):
        """Stop; call it before the publisher is destroyed."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(2.0)

    def _run(self):
        while not self._stopped.is_set():
            item = self._slot.take(timeout=0.1)
            if item is not None:
                header, labels = item
                message = CompressedImage(header=header, format=FORMAT)
                message.data = array.array('B', labels_to_png(labels))
                self._publisher.publish(message)

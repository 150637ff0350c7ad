"""Event files for TensorBoard, through its own package."""

import struct
import time
import zlib

import numpy as np

BUCKETS = 30
MOST_IMAGES = 3


class EventFile:
    """Writes what TensorBoard shows to a new file in a folder, which is made.

    Args:
        folder: Path of the folder.
    """

    def __init__(self, folder):
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
        from tensorboard.util.tensor_util import make_tensor_proto

        self._event, self._summary, self._tensor = event_pb2.Event, summary_pb2.Summary, make_tensor_proto
        self._writer = EventFileWriter(str(folder))

    def scalar(self, name, value, step) -> None:
        """A point of a curve.

        Args:
            name: Name of the curve.
            value: A number.
            step: Where the point stands.
        """
        from tensorboard.plugins.scalar import metadata

        self._add(name, np.float32(value), step, metadata.create_summary_metadata("", ""))

    def text(self, name, text, step=0) -> None:
        """A text in Markdown.

        Args:
            name: Its name.
            text: The text.
            step: The step it belongs to.
        """
        from tensorboard.plugins.text import metadata

        self._add(name, text.encode(), step, metadata.create_summary_metadata("", ""), "string")

    def histogram(self, name, array, step) -> None:
        """The distribution of an array's values.

        Args:
            name: Its name.
            array: Array of any shape; values that are not finite are left out.
            step: The step it belongs to.
        """
        from tensorboard.plugins.histogram import metadata

        values = np.asarray(array, np.float64).ravel()
        values = values[np.isfinite(values)]
        buckets = np.zeros((BUCKETS, 3))  # left edge, right edge, count
        if values.size and values.min() == values.max():
            buckets[:, :2] = values[0]
            buckets[-1, 2] = values.size
        elif values.size:
            counts, edges = np.histogram(values, BUCKETS)
            buckets = np.column_stack([edges[:-1], edges[1:], counts])
        self._add(name, buckets, step, metadata.create_summary_metadata("", ""))

    def images(self, name, array, step) -> None:
        """Pictures of an array's values, the least black and the greatest white.

        Args:
            name: Their name.
            array: Array `(pictures, height, width, channels)` with 1, 3 or 4 channels; the first few are shown.
            step: The step they belong to.
        """
        from tensorboard.plugins.image import metadata

        low, high = float(np.min(array)), float(np.max(array))
        pixels = np.uint8(np.nan_to_num((array - low) * (255.0 / (high - low) if high > low else 0.0)))
        pictures = [_png(picture) for picture in pixels[:MOST_IMAGES]]
        size = [str(array.shape[2]).encode(), str(array.shape[1]).encode()]
        self._add(name, size + pictures, step, metadata.create_summary_metadata("", ""), "string")

    def _add(self, name, value, step, metadata, dtype=None):
        tensor = self._tensor(value, dtype=dtype)
        summary = self._summary(value=[self._summary.Value(tag=name, tensor=tensor, metadata=metadata)])
        self._writer.add_event(self._event(wall_time=time.time(), step=int(step), summary=summary))

    def flush(self) -> None:
        """Brings what was added so far to the file."""
        self._writer.flush()

    def close(self) -> None:
        """Writes the rest, and closes the file."""
        self._writer.close()


def _png(pixels) -> bytes:
    """Pixels `(height, width, channels)` of type uint8 as a PNG picture."""
    height, width, channels = pixels.shape
    kind = {1: 0, 3: 2, 4: 6}[channels]
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # each row begins with the number of its filter
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + label + data + struct.pack(">I", zlib.crc32(label + data))
        for label, data in parts
    )

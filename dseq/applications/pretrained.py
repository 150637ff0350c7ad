"""Keras' trained weights: names, addresses and checksums of the files."""

from dataclasses import dataclass

from dseq.utils.get_file import get_file

SERVER = "https://storage.googleapis.com/"
KERNELS = "weights_tf_dim_ordering_tf_kernels"


@dataclass(frozen=True)
class Files:
    """The two files of a network's weights.

    Attributes:
        folder: Their folder on the server.
        whole: Name of the file with the classifier.
        features: Name of that without.
        md5: Checksums of the two, None where Keras has none.
    """

    folder: str
    whole: str
    features: str
    md5: tuple = (None, None)

    def find(self, include_top) -> str:
        """The path of a file in Keras' folder, downloaded if it is not there; all ranks call it.

        Args:
            include_top: Whether the classifier's weights are wanted.

        Raises:
            OSError: If it has to be downloaded and can't be; the message says where to put it.
        """
        name = self.whole if include_top else self.features
        file_hash = self.md5[0 if include_top else 1]
        return get_file(name, f"{SERVER}{self.folder}/{name}", cache_subdir="models", file_hash=file_hash)


def files(label, folder, *md5) -> Files:
    """The files of a network of the first generation, by its label in their names."""
    whole = f"{label}_{KERNELS}"
    return Files(f"tensorflow/keras-applications/{folder}", f"{whole}.h5", f"{whole}_notop.h5", md5)

"""A model as bytes, so that a fitted estimator survives copying, joblib and pickling.

In: a `Bundle` and its card. Out: the bytes of every file of its folder; and back, through the same checks as a folder.
What is packed is safetensors and JSON: nothing in it is run when it is opened.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from limbeck import storage
from limbeck.model.bundle import Bundle, load_bundle, save_bundle


def pack_bundle(bundle: Bundle, *, card: str) -> dict[str, bytes]:
    """Return the content of each file of a bundle by its name.

    Raises:
        StorageError: the folder for temporary files cannot be written.
    """
    with TemporaryDirectory(prefix="limbeck-") as place:
        folder = Path(place) / "bundle"
        save_bundle(bundle, folder, card=card)
        return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def unpack_bundle(files: Mapping[str, bytes]) -> Bundle:
    """Return the model that was packed.

    Raises:
        ModelError: the files are not those of a whole bundle.
        StorageError: the folder for temporary files cannot be written.
    """
    with TemporaryDirectory(prefix="limbeck-") as place:
        folder = Path(place) / "bundle"
        folder.mkdir()
        for name, content in files.items():
            # A name is a file's own: nothing is written elsewhere.
            storage.write_bytes(folder / Path(name).name, content)
        return load_bundle(folder)

"""Results as files: counts as JSON, single shots as a numpy array beside them."""

from __future__ import annotations

import io
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from qawait.cli.inputs import file_name
from qawait.errors import ConfigurationError, NoLayout, NoShotData

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qawait.cli.outcomes import Outcome

__all__ = ["Folder"]


class Folder:
    """The directory of `--out`: `<name>.json`, and `<name>.npy` where shots exist.

    The array has the shape (shots, bits) and the type uint8; column j is classical bit
    j, the bits of the first register first. Files appear whole or not at all.

    Args:
        path: Made if it is not there.
        force: Whether files that are there are replaced.

    Raises:
        ConfigurationError: It is a file, or cannot be made.
    """

    def __init__(self, path: Path, *, force: bool) -> None:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise ConfigurationError(
                f"--out {path} is a file; name a directory"
            ) from None
        except OSError as error:
            raise ConfigurationError(f"--out {path}: {error.strerror}") from None
        if not os.access(path, os.W_OK | os.X_OK):
            raise ConfigurationError(f"--out {path}: nothing can be written there")
        self.path = path
        self._force = force

    def check(self, names: Iterable[str]) -> None:
        """Refuse before anything is sent what could not be written afterwards.

        Raises:
            ConfigurationError: A file is there already, and is not to be replaced.
        """
        if self._force:
            return
        for name in names:
            for ending in (".json", ".npy"):
                path = self.path / (file_name(name) + ending)
                if path.exists() or path.is_symlink():
                    raise ConfigurationError(
                        f"{path} exists; --force replaces it, another --out keeps it"
                    )

    def save(self, outcome: Outcome, name: str) -> None:
        """Write one circuit that has a result."""
        import numpy as np

        circuit = outcome.result
        assert circuit is not None
        name = file_name(name)
        document = outcome.to_json()
        try:
            bits = circuit.bits()
        except (NoShotData, NoLayout):
            bits = None
        if bits is not None:
            stream = io.BytesIO()
            np.save(stream, bits, allow_pickle=False)
            self._write(f"{name}.npy", stream.getvalue())
            document["bits"] = f"{name}.npy"
        text = json.dumps(document, indent=2, allow_nan=False) + "\n"
        self._write(f"{name}.json", text.encode())

    def _write(self, name: str, content: bytes) -> None:
        # a name is taken only by a whole file, and a link of that name is not followed
        handle, temporary = tempfile.mkstemp(prefix=".qawait-", dir=self.path)
        try:
            with open(handle, "wb") as file:  # noqa: PTH123 (a handle, not a path)
                file.write(content)
            mask = os.umask(0)
            os.umask(mask)
            Path(temporary).chmod(0o666 & ~mask)
            Path(temporary).replace(self.path / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

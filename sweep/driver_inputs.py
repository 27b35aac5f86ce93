"""What a driver hands to workers: pictures from the workspace, weights from the cache."""

from pathlib import Path

import numpy as np

from db import queries
from db.checkpoints import state_of
from db.workspace import Workspace
from sweep.errors import InputError, StorageError
from sweep.inputs import StoredPictures
from sweep.transfer.presets import NETWORKS
from sweep.transfer.weights import Weights, load_weights, network_hash


class WorkspaceInputs:
    """The `Inputs` of `sweep.worker`, read from one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._pictures = StoredPictures(workspace.artifacts, self._format_of)

    def pixels(self, sha256: str, long_side: int) -> np.ndarray:
        """(H, W, 3) uint8 sRGB. Raises StorageError where the workspace lacks the file or it is damaged."""
        return self._pictures.pixels(sha256, long_side)

    def mask(self, sha256: str, long_side: int) -> np.ndarray:
        """(H, W) uint8, 255 inside. Raises as `pixels`."""
        return self._pictures.mask(sha256, long_side)

    def checkpoint(self, run_key: str) -> bytes:
        """The newest state of a run. Raises StorageError where there is none, or its file is missing or damaged."""
        with self._workspace.reader().connect() as connection:
            row = queries.checkpoint(connection, run_key)
        if row is None:
            raise StorageError(f"the workspace has no state of the run {run_key[:11]}.")
        return state_of(self._workspace.checkpoints, row)

    def weights(self, network: str, network_hash: str) -> Weights:
        """From the cache, or from the user's own file that the sweep was recorded with. Raises WeightsError."""
        if network_hash == NETWORKS[network].source_hash:
            return load_weights(network)
        return load_weights(network, self._own_file(network, network_hash))

    def _own_file(self, network: str, wanted: str) -> Path:
        with self._workspace.reader().connect() as connection:
            path = queries.weights_file(connection, wanted)
        if path is None or not Path(path).is_file() or network_hash(network, Path(path)) != wanted:
            raise InputError(f"the weights file {path} of {network} is gone or has changed since the sweep was recorded; put it back.")
        return Path(path)

    def _format_of(self, sha256: str) -> str:
        with self._workspace.reader().connect() as connection:
            row = queries.image(connection, sha256)
        if row is None:
            raise InputError(f"the picture {sha256} is not in the workspace; run the sweep's file again to record it.")
        return str(row["format"])

"""NumPy, MATLAB and HDF5 files with named arrays."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from scipy import io as matlab


def waves(n: int) -> dict[str, Any]:
    k = np.arange(n)
    return {"time_s": k / 50, "flow_l_min": 6.0 * (k % 16), "paw_cmh2o": 5.0 + k % 8}


def npz(*, packed: bool = False, **arrays: Any) -> bytes:
    out = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(out, **arrays)
    return out.getvalue()


def mat(variables: Mapping[str, Any], *, packed: bool = False) -> bytes:
    out = io.BytesIO()
    matlab.savemat(out, dict(variables), do_compression=packed)
    return out.getvalue()


def hdf5(
    arrays: Mapping[str, Any], *, group: str = "", before: int = 0, units: Mapping[str, str] | None = None, **more: Any
) -> bytes:
    """Data sets; ``fs`` is an attribute of the file, other keywords are of the data sets."""
    out = io.BytesIO()
    rate_hz = more.pop("fs", None)
    with h5py.File(out, "w", userblock_size=before) as file:
        if rate_hz is not None:
            file.attrs["fs"] = rate_hz
        for name, array in arrays.items():
            made = file.create_dataset(f"{group}{name}", data=array, **more)
            if units and name in units:
                made.attrs["units"] = units[name]
    return out.getvalue()


def labchart(n: int, rate_hz: float = 50.0, **changed: Any) -> dict[str, Any]:
    """What LabChart exports."""
    both = waves(n)
    known = {
        "data": np.concatenate([both["flow_l_min"], both["paw_cmh2o"]]),
        "datastart": [[1.0], [n + 1.0]],
        "dataend": [[n], [2.0 * n]],
        "titles": np.array(["Flow", "Paw "]),
        "samplerate": [[rate_hz], [rate_hz]],
        "unittext": np.array(["L/min", "cmH2O"]),
        "unittextmap": [[1.0], [2.0]],
    }
    return known | changed

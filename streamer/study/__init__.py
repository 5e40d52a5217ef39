"""Studies: recordings with events and blood gases into time points, changes and a cohort's table.

```
session files ─▶ recordings through the core ─▶ one clock ─▶ windows about events ─▶ values ─▶ changes ─▶ cohort
   files            collect                      timeline      points                values     changes     cohort
```

    from streamer.study import measure, read_study

    results = measure(read_study(Path("cohort.toml")))
    results.values, results.changes, results.cohort   # pandas data frames

Rules and their reasons: algorithms §8.2. ``ventstream report`` puts the same numbers into tables and pictures.
"""

from streamer.files.patient_files import Session, Study, read_study
from streamer.model.context import PointSettings
from streamer.study.measuring import measure
from streamer.study.quantities import QUANTITIES, Quantity
from streamer.study.results import PointLabel, Results

__all__ = [
    "QUANTITIES",
    "PointLabel",
    "PointSettings",
    "Quantity",
    "Results",
    "Session",
    "Study",
    "measure",
    "read_study",
]

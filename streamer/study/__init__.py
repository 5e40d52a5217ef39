"""Studies: from recordings with events and blood gases to time points, changes and a cohort's table.

```
patient files ─▶ recordings through the core ─▶ one clock ─▶ windows around events ─▶ values ─▶ changes ─▶ cohort
   files            collect                      timeline      points                 values     changes     cohort
```

``measure(read_study(path))`` gives ``Results``: pandas data frames. ``ventstream report`` puts the same numbers into
tables and pictures. Rules and their reasons: algorithms §8.2.
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

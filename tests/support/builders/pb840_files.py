"""Serial captures of a Puritan Bennett 840."""

from __future__ import annotations

SMALL = b"""2016-02-17-08-43-02.525325
BS, S:54042,
0.87, 7.04
1.89, 7.05
45.58
,5.69
-12.96, 17.85
BE
BS, S:54043,
19.79, 8.86
2016-02-17-08-43-12.6
1.00, 5.00
"""

"""Events that no patient file can hold."""

from __future__ import annotations

from streamer.model.records import Notice, NoticeKind

ODD = [
    Notice(bed="", at_s=1.0, kind=NoticeKind.NOTE, detail="", values={"event": "tracheotomy"}),
    Notice(bed="", at_s=1.0, kind=NoticeKind.NOTE, detail="x" * 501, values={"event": "note"}),
    Notice(bed="", at_s=float("nan"), kind=NoticeKind.NOTE, detail="", values={"event": "note"}),
    Notice(bed="", at_s=1e15, kind=NoticeKind.NOTE, detail="", values={"event": "note"}),
    Notice(bed="", at_s=1.0, kind=NoticeKind.BLOOD_GAS, detail="", values={}),
    Notice(bed="", at_s=1.0, kind=NoticeKind.BLOOD_GAS, detail="", values={"ph": 74.0}),
]

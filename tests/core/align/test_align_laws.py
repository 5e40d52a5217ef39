"""``align``: the same samples and notices for any cutting, whatever is wrong with the stream."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.model.chunk import Chunk
from tests.support.aligned import RATE, aligned, ramp
from tests.support.streams import chunk, cut

PIECES = st.lists(
    st.tuples(
        st.integers(1, 60),  # samples
        st.sampled_from([0.0, 0.0, 0.3, -0.4, 1.0, 7.0, 15.0, 60.0, 150.0, -3.0, -30.0, -150.0, 0.5, -1.5, 2.5]),
        st.sampled_from([None, None, (5, 3), (0, 50), (20, 1)]),  # NaN from, for
        st.sampled_from([RATE, RATE, RATE, 50.0]),
        st.booleans(),  # implausible pressure somewhere
    ),
    min_size=1,
    max_size=8,
)


def stream(pieces) -> list[Chunk]:
    chunks, at_s = [], 10.0
    for n, jump, hole, rate_hz, is_wild in pieces:
        at_s += jump / RATE
        flow, paw = ramp(n), ramp(n) * 20
        if hole:
            flow[hole[0] : sum(hole)] = math.nan
        if is_wild:
            paw[n // 2] = 900.0
        chunks.append(chunk(flow, paw, start_s=at_s, rate_hz=rate_hz))
        at_s += n / rate_hz
    return chunks


@settings(max_examples=150, deadline=None)
@given(pieces=PIECES, seed=st.integers(0, 2**31), single=st.booleans())
def test_whole_equals_parts(pieces, seed: int, *, single: bool) -> None:
    chunks = stream(pieces)
    rng = np.random.default_rng(seed)

    def parts(whole: Chunk):
        n = len(whole)
        return cut(whole, range(1, n) if single else rng.integers(0, n + 1, size=4).tolist())

    assert aligned([part for whole in chunks for part in parts(whole)]) == aligned(chunks)

"""Lines of a chromosome come in order of position, however windows cut it."""

from heapq import merge
from itertools import pairwise
from operator import itemgetter

from hypothesis import given
from hypothesis import strategies as st

from haplorag.imputation.chromosome import interleave

POSITIONS = st.lists(st.integers(1, 12), max_size=10).map(sorted)


@given(POSITIONS, POSITIONS, st.lists(st.integers(0, 10), max_size=4).map(sorted))
def test_unused_sites_stand_after_imputed_ones_of_their_position(imputed, unused, cuts):
    lines = [(position, b"i%d," % position) for position in imputed]
    others = [(position, b"u%d," % position) for position in unused]
    bounds = [0, *cuts, 10]
    windows = [lines[start:stop] for start, stop in pairwise(bounds)]
    columns = (tuple(map(list, zip(*window, strict=True))) or ([], []) for window in windows)
    written = b"".join(interleave(columns, iter(others)))
    assert written == b"".join(line for _, line in merge(lines, others, key=itemgetter(0)))

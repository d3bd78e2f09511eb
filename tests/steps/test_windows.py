"""Windows tile every site; flanks are near, common, and never across a gap."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from haplorag.panel.windows import cut_cores, find_bounds, find_context, read_windows
from haplorag.settings import WindowSettings

SETTINGS = WindowSettings(core_sites=4, flank_bp=100, flank_maf=0.05, flank_sites=3, gap_bp=1000)
START, NONE = np.array([0]), np.array([], dtype=int)


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=60, unique=True), st.integers(1, 20))
def test_cores_tile_every_site(positions, core_sites):
    position = np.array(sorted(positions))
    cores = cut_cores(
        position,
        find_bounds(position, START, SETTINGS),
        SETTINGS.model_copy(update={"core_sites": core_sites}),
    )
    assert cores[0, 0] == 0 and cores[-1, 1] == len(position)
    assert (cores[1:, 0] == cores[:-1, 1]).all()
    assert (cores[:, 1] > cores[:, 0]).all()
    assert all(np.diff(position[start:stop]).max(initial=0) < 1000 for start, stop in cores)


def test_a_small_last_core_joins_the_one_before():
    settings = SETTINGS.model_copy(update={"core_sites": 8})
    assert cut_cores(np.arange(17), NONE, settings).tolist() == [[0, 8], [8, 17]]
    assert cut_cores(np.arange(19), NONE, settings).tolist() == [[0, 8], [8, 16], [16, 19]]


def test_flanks_by_eye():
    position = np.array([1, 100, 150, 160, 200, 210, 220, 290, 301, 5000])
    frequency = np.array([0.5, 0.5, 0.01, 0.97, 0.5, 0.0, 0.0, 0.94, 0.5, 0.5])
    core = np.array([4, 7])
    # 1 is too far, 150 and 160 too rare; on the right 301 is 81 from the core's last site, 5000 is
    # across a gap.
    assert find_context(core, position, frequency, np.array([9]), SETTINGS).tolist() == [
        1,
        4,
        5,
        6,
        7,
        8,
    ]


def test_no_flank_across_a_gap():
    settings = SETTINGS.model_copy(update={"flank_bp": 10**6})
    position = np.array([10, 20, 30, 40, 5000, 5010])
    assert find_context(
        np.array([0, 4]),
        position,
        np.full(6, 0.5),
        find_bounds(position, START, settings),
        settings,
    ).tolist() == [
        0,
        1,
        2,
        3,
    ]


def test_flanks_keep_the_nearest():
    context = find_context(np.array([10, 12]), np.arange(20), np.full(20, 0.5), NONE, SETTINGS)
    assert context.tolist() == [7, 8, 9, 10, 11, 12, 13, 14]


def test_windows_on_disk_see_their_cores(simulated):
    cut = read_windows(simulated.windows)
    assert len(cut) > 2
    for window in range(len(cut)):
        context, (start, stop) = cut.context(window), cut.core_columns(window)
        assert (np.diff(context) > 0).all()
        assert context[start:stop].tolist() == list(range(*cut.cores[window]))


def test_nothing_reaches_into_another_ploidy():
    position = np.arange(20)
    bounds = find_bounds(position, np.array([0, 6, 15]), SETTINGS)
    assert bounds.tolist() == [6, 15]
    cores = cut_cores(position, bounds, SETTINGS.model_copy(update={"core_sites": 8}))
    assert cores.tolist() == [[0, 6], [6, 15], [15, 20]]
    context = find_context(np.array([8, 12]), position, np.full(20, 0.5), bounds, SETTINGS)
    assert context.tolist() == [6, 7, 8, 9, 10, 11, 12, 13, 14]

"""Stretches of a panel: they tile it, and their groups give every haplotype's alleles back."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from haplorag.li_stephens.carriers import find_carriers
from haplorag.li_stephens.haplotype_blocks import cut_haplotype_blocks
from support import PlainPanel


def list_alleles(cut, site, groups):
    """Alleles of a block's groups at one core site."""
    carriers = cut.carriers[cut.carrier_start[site] : cut.carrier_start[site + 1]]
    assert 2 * len(carriers) <= groups
    fewer = np.isin(np.arange(groups), carriers)
    return (fewer == cut.carries_alternate[site]).astype(np.uint8)


def list_groups(cut):
    """The group of each haplotype, block by block: uint32 [N] each."""
    for span, strand in enumerate(cut.strand):
        strands = cut.strand_offset[span + 1] - cut.strand_offset[span]
        for block in range(cut.span[span], cut.span[span + 1]):
            start = cut.group_start[block]
            yield cut.group[start : start + strands][strand]


def list_carriers(panel):
    """Who carries the rarer allele at sites of a panel [S, N]."""
    return find_carriers(PlainPanel(panel.T), np.arange(len(panel)), panel.shape[1])


@given(st.integers(0, 2**32), st.integers(0, 40), st.integers(1, 40))
@settings(deadline=None)
def test_who_carries_the_rarer_allele_is_found(seed, sites, haplotypes):
    generator = np.random.default_rng(seed)
    share = generator.random((sites, 1))
    panel = (generator.random((sites, haplotypes)) < share).astype(np.uint8)
    wanted = np.flatnonzero(generator.random(sites) < 0.6)
    found = find_carriers(PlainPanel(panel.T), wanted, haplotypes)
    assert len(found.start) == len(wanted) + 1
    for number, site in enumerate(wanted):
        rows = found.rows[found.start[number] : found.start[number + 1]]
        assert 2 * len(rows) <= haplotypes
        expected = np.flatnonzero(panel[site] == found.alternate[number])
        np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(found.count_alternate(haplotypes), panel[wanted].sum(axis=1))


@given(
    st.integers(0, 2**32),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(1, 40),
    st.integers(1, 8),
)
@settings(deadline=None)
def test_groups_give_the_panel_back(seed, typed, wanted, haplotypes, founders):
    generator = np.random.default_rng(seed)
    few = generator.integers(0, 2, (typed + wanted, founders), dtype=np.uint8)
    panel = few[:, generator.integers(0, founders, haplotypes)] ^ (
        generator.random((typed + wanted, haplotypes)) < 0.02
    )
    known, core = np.ascontiguousarray(panel[:typed]), np.ascontiguousarray(panel[typed:])
    before = np.sort(generator.integers(0, typed + 1, wanted))
    cut = cut_haplotype_blocks(list_carriers(known), list_carriers(core), before, haplotypes)
    assert cut.typed[[0, -1]].tolist() == [0, typed]
    assert cut.core[[0, -1]].tolist() == [0, wanted]
    groups_of = list(list_groups(cut))
    assert len(groups_of) == len(cut.typed) - 1
    for stretch, group in enumerate(groups_of):
        groups = cut.offset[stretch + 1] - cut.offset[stretch]
        first, last = cut.typed[stretch : stretch + 2]
        first_core, last_core = cut.core[stretch : stretch + 2]
        # A core site lies in the stretch of the typed site before it.
        assert ((before[first_core:last_core] > first) | (stretch == 0)).all()
        assert (before[first_core:last_core] <= last).all()
        known_here = cut.typed_alleles[cut.typed_start[stretch] :][
            : (last - first) * groups
        ].reshape(-1, groups)
        core_here = np.array(
            [list_alleles(cut, site, groups) for site in range(first_core, last_core)]
        ).reshape(-1, groups)
        np.testing.assert_array_equal(known_here[:, group], known[first:last])
        np.testing.assert_array_equal(core_here[:, group], core[first_core:last_core])
        members = cut.members[cut.offset[stretch] : cut.offset[stretch + 1]]
        np.testing.assert_array_equal(members, np.bincount(group, minlength=groups))
        # Groups are as few as can be: no two of them agree everywhere.
        assert (
            len(np.unique(np.concatenate([known_here, core_here]), axis=1).T) == groups
            or groups == 1
        )
    for span, strand in enumerate(cut.strand):
        # Haplotypes share a strand where they share all groups of a span, and only there.
        within = np.array(groups_of[cut.span[span] : cut.span[span + 1]])
        _, expected, members = np.unique(within, axis=1, return_inverse=True, return_counts=True)
        pairs = np.unique([strand, expected.ravel()], axis=1)
        strands = cut.strand_members[cut.strand_offset[span] : cut.strand_offset[span + 1]]
        assert pairs.shape[1] == len(members) == len(strands)
        np.testing.assert_array_equal(strands[pairs[0]], members[pairs[1]])


def test_a_panel_of_few_founders_is_cut_into_few_long_stretches():
    generator = np.random.default_rng(1)
    founders = generator.integers(0, 2, (300, 5), dtype=np.uint8)
    panel = np.ascontiguousarray(founders[:, generator.integers(0, 5, 400)])
    known, before = list_carriers(panel[::3]), np.arange(300) // 3 + 1
    cut = cut_haplotype_blocks(known, list_carriers(panel), before, 400)
    assert cut.span.tolist() == [0, 1]
    assert cut.members.astype(int).sum() == 400
    assert len(cut.members) == len(cut.strand_members) == 5


def test_a_large_panel_of_many_mosaics_has_several_blocks_in_a_span():
    generator = np.random.default_rng(1)
    founders = generator.integers(0, 2, (120, 12), dtype=np.uint8)
    # Each haplotype changes once from one founder to another.
    copied = generator.integers(0, 12, (2, 4000))
    turns = np.arange(120)[:, None] >= generator.integers(0, 120, 4000)
    panel = np.where(turns, founders[:, copied[1]], founders[:, copied[0]])
    known, nothing = list_carriers(panel), list_carriers(panel[:0])
    cut = cut_haplotype_blocks(known, nothing, np.empty(0, dtype=int), 4000)
    assert (np.diff(cut.span) > 1).any()
    assert np.diff(cut.strand_offset).max() < 2000
    assert np.diff(cut.offset).max() < np.diff(cut.strand_offset).min()

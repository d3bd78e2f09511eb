"""Li and Stephens' model: a haplotype is a mosaic of those in the panel, which says what its hidden alleles are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from haplorag.li_stephens.haplotype_blocks import HaplotypeBlocks
from haplorag.li_stephens.numba_jit import jit
from haplorag.li_stephens.parameters import MIN_SWITCH, MISMATCH, SWITCHES_PER_CENTIMORGAN
from haplorag.li_stephens.site_groups import SiteGroups


def run_forward_backward(
    asked: np.ndarray,
    typed_cm: np.ndarray,
    stretches: HaplotypeBlocks,
    places: SiteGroups,
    ids: np.ndarray,
    owner: np.ndarray,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Trace haplotypes through the whole panel, forward and backward over the typed sites.

    `asked` int8 [Q, T] (-1 where missing) and genetic positions `typed_cm` [T] at typed sites, `stretches` the panel at these
    and at the L core sites wanted, `ids` int [Q, K] haplotypes of interest (-1 for none), `owner` int [Q] the rank of the
    query's person among the reference people, -1 for nobody; a person's own two haplotypes are never copied.

    Gives the probability of ALT float32 [Q, L], and that of copying each of `ids` float32 [Q, P, K] at each place. After Li and
    Stephens 2003 (doi:10.1093/genetics/165.4.2213), and exact: along a stretch, equal haplotypes keep the state they entered
    with times one number, and gain another, so that a whole group is followed at the cost of one.
    """
    per_cm = SWITCHES_PER_CENTIMORGAN / stretches.group.shape[1]
    # Beyond the first and the last typed site nothing is known: a switch from there is certain.
    around = np.concatenate([[-np.inf], typed_cm, [np.inf]])
    gaps = (
        np.diff(around),
        places.centimorgan - around[places.before],
        around[places.before + 1] - places.centimorgan,
    )
    chances = [
        np.maximum(-np.expm1(-np.maximum(gap, 0) * per_cm), MIN_SWITCH).astype(np.float32)
        for gap in gaps
    ]
    alternate = np.empty((len(asked), len(places.of_site)), dtype=np.float32)
    posterior = np.empty((len(asked), len(places.before), ids.shape[1]), dtype=np.float32)
    asked, ids, owner = np.ascontiguousarray(asked), ids.astype(np.int64), owner.astype(np.int64)
    shape = stretches, places.first, places.before.astype(np.int64)

    def trace(start: int) -> None:
        part = slice(start, start + each)
        _trace(
            asked[part],
            *chances,
            *shape,
            ids[part],
            owner[part],
            np.float32(MISMATCH),
            alternate[part],
            posterior[part],
        )

    # Threads of our own, see `compiled`.
    each = max(1, -(-len(asked) // threads))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(trace, range(0, len(asked), each)))
    return alternate, posterior


@jit
def _trace(
    asked, chance, reach_left, reach_right, panel, first, before, ids, owner, mismatch, alternate, posterior
):  # fmt: skip
    """Fill `alternate` and `posterior`; `chance` [T + 1] is that of a switch before each typed site and after the last."""
    entered = np.zeros(panel.group.shape, np.float32)
    for query in range(len(asked)):
        own = 2 * owner[query]
        share = np.float32(1) / np.float32(panel.group.shape[1] - (2 if own >= 0 else 0))
        _trace_one(
            asked[query], chance, reach_left, reach_right, panel, first, before, ids[query], own, share, mismatch, entered,
            alternate[query], posterior[query],
        )  # fmt: skip


@jit
def _trace_one(
    alleles, chance, reach_left, reach_right, panel, first, before, ids, own, share, mismatch, entered, alternate, posterior
):  # fmt: skip
    """Trace one haplotype: forward to the state each stretch is `entered` with, then backward, each gone through once more."""
    stretches, haplotypes = panel.group.shape
    longest, widest = np.diff(panel.typed).max(), np.diff(panel.offset).max()
    # Within a stretch: what each group keeps of its state and what it gains, after none, one, two, ... typed sites.
    kept, gained = (
        np.empty((longest + 1, widest), np.float32),
        np.empty((longest + 1, widest), np.float32),
    )
    total, members, weight = (
        np.ones(longest + 1, np.float32),
        np.empty(widest, np.float32),
        np.empty(widest, np.float32),
    )
    ahead, behind, both = (
        np.empty(len(panel.members), np.float32),
        np.empty(widest, np.float32),
        np.empty(widest, np.float32),
    )
    entered_total = np.ones(stretches, np.float32)
    for stretch in range(stretches):
        group = panel.group[stretch]
        here = ahead[panel.offset[stretch] : panel.offset[stretch + 1]]
        _sum_by_group(here, entered[stretch], group)
        if stretch + 1 < stretches:
            _count_members(members, panel, stretch, own)
            total[0] = entered_total[stretch]
            steps = _go_forward(
                kept, gained, total, alleles, chance, panel, stretch, members, here, share, mismatch
            )
            _carry(entered[stretch], kept[steps], gained[steps], group, own, entered[stretch + 1])
            entered_total[stretch + 1] = total[steps]
    state, state_total = np.zeros(haplotypes, np.float32), np.float32(1)
    # Two rows that take turns: a loop that writes where it reads is not vectorised.
    stays, gains, turn = np.empty((2, widest), np.float32), np.empty((2, widest), np.float32), 0
    place = len(before) - 1
    for stretch in range(stretches - 1, -1, -1):
        group, start = panel.group[stretch], panel.typed[stretch]
        here = ahead[panel.offset[stretch] : panel.offset[stretch + 1]]
        groups = _count_members(members, panel, stretch, own)
        _sum_both(behind[:groups], both[:groups], state, entered[stretch], group)
        total[0] = entered_total[stretch]
        steps = _go_forward(
            kept, gained, total, alleles, chance, panel, stretch, members, here, share, mismatch
        )
        stays[turn, :groups], gains[turn, :groups] = 1, 0
        for step in range(steps, -1, -1):
            # Places before the first typed site of a stretch belong to the stretch before.
            while place >= 0 and before[place] == start + step and (step or not stretch):
                far, near = reach_right[place], reach_left[place]
                back = state, stays[turn], gains[turn], (1 - far) / state_total, far * share
                front = (
                    entered[stretch],
                    kept[step],
                    gained[step],
                    (1 - near) / total[step],
                    near * share,
                )
                weighed = _weigh(weight[:groups], back, front, both, behind, here, members)
                sites = slice(first[place], first[place + 1])
                _sum_carriers(
                    weight[:groups], panel, stretch, first[place], weighed, alternate[sites]
                )
                _look_up(ids, own, group, back, front, weighed, posterior[place])
                place -= 1
            if step:
                site = start + step - 1
                stay, leak = (1 - chance[site + 1]) / state_total, chance[site + 1] * share
                held = _alleles(panel, stretch, step - 1)
                old, new = (stays[turn], gains[turn]), (stays[1 - turn], gains[1 - turn])
                state_total = _step(
                    *old, *new, held, alleles[site], stay, leak, members, behind, mismatch
                )
                turn = 1 - turn
        _carry(state, stays[turn], gains[turn], group, own, state)


@jit
def _go_forward(
    kept, gained, total, alleles, chance, panel, stretch, members, ahead, share, mismatch
):
    """Fill the rows of `kept`, `gained` and `total` along a stretch; gives how many typed sites it has."""
    start, groups = panel.typed[stretch], panel.offset[stretch + 1] - panel.offset[stretch]
    steps = panel.typed[stretch + 1] - start
    kept[0, :groups], gained[0, :groups] = 1, 0
    for step in range(steps):
        site = start + step
        stay, leak = (1 - chance[site]) / total[step], chance[site] * share
        held = _alleles(panel, stretch, step)
        old, new = (kept[step], gained[step]), (kept[step + 1], gained[step + 1])
        total[step + 1] = _step(
            *old, *new, held, alleles[site], stay, leak, members, ahead, mismatch
        )
    return steps


@jit
def _alleles(panel, stretch, step):
    """Alleles of the groups at a typed site of a stretch."""
    groups = panel.offset[stretch + 1] - panel.offset[stretch]
    at = panel.typed_start[stretch] + step * groups
    return panel.typed_alleles[at : at + groups]


@jit
def _step(kept, gained, kept_on, gained_on, held, allele, stay, leak, members, sums, mismatch):
    """Move the groups on by a typed site: a switch by chance, then how well their allele agrees; the sum of all states."""
    reference, change = np.float32(1), np.float32(0)
    if allele == 0:
        reference, change = 1 - mismatch, 2 * mismatch - 1
    elif allele == 1:
        reference, change = mismatch, 1 - 2 * mismatch
    moved = np.float32(0)
    for group in range(len(held)):
        agrees = reference + change * np.float32(held[group])
        keeps, gains = kept[group] * stay * agrees, (gained[group] * stay + leak) * agrees
        kept_on[group], gained_on[group] = keeps, gains
        moved += keeps * sums[group] + gains * members[group]
    return moved


@jit
def _weigh(weight, back, front, both, behind, ahead, members):
    """Weights of the groups at a place, the sum over their haplotypes of state behind times state ahead; their sum.

    `back` and `front` hold the states that haplotypes come with from either side, what groups keep of them and gain, and the
    chances of neither switching nor having switched on the way to the place.
    """
    _, stays, gains, stay, leak = back
    _, kept, gained, stay_ahead, leak_ahead = front
    weighed = np.float32(0)
    for group in range(len(weight)):
        there, there_gained = stays[group] * stay, gains[group] * stay + leak
        here, here_gained = kept[group] * stay_ahead, gained[group] * stay_ahead + leak_ahead
        from_behind = there * (here * both[group] + here_gained * behind[group])
        weight[group] = from_behind + there_gained * (
            here * ahead[group] + here_gained * members[group]
        )
        weighed += weight[group]
    return weighed


@jit
def _look_up(ids, own, group, back, front, weighed, posterior):
    """Posterior of single haplotypes at a place; none of the query's own, nor of id -1."""
    state, stays, gains, stay, leak = back
    entered, kept, gained, stay_ahead, leak_ahead = front
    for column in range(len(ids)):
        row = ids[column]
        posterior[column] = 0
        if row >= 0 and row != own and row != own + 1:
            of = group[row]
            there = (state[row] * stays[of] + gains[of]) * stay + leak
            here = (entered[row] * kept[of] + gained[of]) * stay_ahead + leak_ahead
            posterior[column] = there * here / weighed


@jit
def _sum_carriers(weight, panel, stretch, site, weighed, alternate):
    """Share of the weights that groups with ALT have at each site of a place."""
    for number in range(len(alternate)):
        at = panel.core_start[stretch] + (site + number - panel.core[stretch]) * len(weight)
        alternate[number] = _sum_where(weight, panel.core_alleles[at : at + len(weight)]) / weighed


@jit
def _sum_where(weight, alleles):
    carried = np.float32(0)
    for group in range(len(weight)):
        carried += weight[group] * np.float32(alleles[group])
    return carried


@jit
def _count_members(members, panel, stretch, own):
    """Sizes of a stretch's groups without the query's own two haplotypes; gives how many groups there are."""
    groups = panel.offset[stretch + 1] - panel.offset[stretch]
    members[:groups] = panel.members[panel.offset[stretch] : panel.offset[stretch + 1]]
    if own >= 0:
        members[panel.group[stretch, own]] -= 1
        members[panel.group[stretch, own + 1]] -= 1
    return groups


@jit
def _sum_by_group(sums, state, group):
    sums[:] = 0
    for row in range(len(state)):
        sums[group[row]] += state[row]


@jit
def _sum_both(sums, products, state, other, group):
    sums[:], products[:] = 0, 0
    for row in range(len(state)):
        sums[group[row]] += state[row]
        products[group[row]] += state[row] * other[row]


@jit
def _carry(state, kept, gained, group, own, onward):
    """States of haplotypes at the other end of a stretch; the query's own two have none."""
    for row in range(len(state)):
        of = group[row]
        onward[row] = state[row] * kept[of] + gained[of]
    if own >= 0:
        onward[own : own + 2] = 0

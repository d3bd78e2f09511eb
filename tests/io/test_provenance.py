"""Files of two runs are never read together."""

import pytest

from haplorag.dataset.chromosome import open_chromosome
from haplorag.errors import InputError
from haplorag.io.provenance import check_provenance
from haplorag.steps.neighbours import neighbours
from support import SEED, Simulated, prepare

STAGES = (
    "samples", "genotypes", "frequencies", "windows", "shards", "masks", "neighbours", "rates",
)  # fmt: skip


@pytest.fixture(scope="module")
def other(simulated, tmp_path_factory):
    """The same people, divided otherwise."""
    made = Simulated(tmp_path_factory.mktemp("other"), simulated.settings)
    prepare(made, simulated.folder / "demo/1.vcf.gz", simulated.folder / "demo/panel.tsv", SEED + 1)
    return made


def family(made):
    drawn = {stage: made.drawn(stage, "test") for stage in ("masks", "neighbours", "rates")}
    return {stage: drawn[stage] if stage in drawn else getattr(made, stage) for stage in STAGES}


def test_files_of_one_run_are_read_together(simulated):
    assert set(check_provenance(*family(simulated).items())) == set(STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_a_file_of_another_run_is_refused(simulated, other, stage):
    mixed = {**family(simulated), stage: family(other)[stage]}
    with pytest.raises(InputError, match=r"comes from other \w+ than .+; remove the older"):
        check_provenance(*mixed.items())


def test_neighbours_of_another_draw_are_refused(simulated):
    mixed = {**family(simulated), "masks": simulated.drawn("masks", "validation")}
    with pytest.raises(InputError, match="comes from other masks"):
        check_provenance(*mixed.items())


@pytest.mark.parametrize("foreign", ["samples", "windows"])
def test_networks_read_no_mixture(simulated, other, foreign):
    paths = [family(other if stage == foreign else simulated)[stage] for stage in STAGES]
    with pytest.raises(InputError, match="comes from other"):
        open_chromosome(*paths)


def test_nothing_is_made_of_a_mixture(simulated, other, tmp_path):
    mine, where = family(simulated), {"draw": "test", "chromosome": "1", "seed": SEED}
    inputs = mine["genotypes"], mine["samples"], mine["windows"], mine["masks"], other.shards
    with pytest.raises(InputError, match="comes from other"):
        neighbours(*inputs, tmp_path / "1.h5", settings=simulated.settings.neighbours, **where)
    assert not list(tmp_path.iterdir())

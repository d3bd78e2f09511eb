"""Genetic maps: every form that is in use is read, and what is none is refused by its likely cause."""

import gzip
import logging
import random
from functools import partial

import numpy as np
import pytest

from haplorag.configuration import read_settings
from haplorag.errors import InputError
from haplorag.panel.genetic_map import locate_sites, read_map, write_plink_map
from haplorag.qc.preflight import find_problems
from haplorag.vcf.chromosomes import match_chromosome

BP = np.arange(1, 201) * 50_000
CM = np.round(np.cumsum(np.random.default_rng(1).exponential(0.06, 200)), 6)


def lay_out(form: str, chromosome: str, bp=BP, centimorgan=CM) -> str:
    """The points of a chromosome in a form, without a header."""
    rate = np.round(np.append(np.diff(centimorgan) / np.diff(bp) * 1e6, 0), 6)
    points = list(zip(bp, centimorgan, rate, strict=True))
    return "".join(form.format(c=chromosome, bp=b, cm=m, rate=r) for b, m, r in points)


PLINK = "{c}\t.\t{cm}\t{bp}\n"
HAPMAP = "{c}\t{bp}\t{rate}\t{cm}\n"
IMPUTE = "{bp} {rate} {cm}\n"
FORMS = {
    "PLINK": ("", PLINK),
    "PLINK with a header": ("#chr id cM bp\n", PLINK),
    "PLINK with a header and no mark": ("chr id cM bp\n", PLINK),
    "HapMap": ("Chromosome\tPosition(bp)\tRate(cM/Mb)\tMap(cM)\n", HAPMAP),
    "HapMap without a header": ("", HAPMAP),
    "Eagle": ("chr position COMBINED_rate(cM/Mb) Genetic_Map(cM)\n", "{c} {bp} {rate} {cm}\n"),
    "SHAPEIT and GLIMPSE": ("pos\tchr\tcM\n", "{bp}\t{c}\t{cm}\n"),
    "SHAPEIT without a header": ("", "{bp}\t{c}\t{cm}\n"),
    "IMPUTE": ("position COMBINED_rate(cM/Mb) Genetic_Map(cM)\n", IMPUTE),
    "IMPUTE without a header": ("", IMPUTE),
    "Minimac4": ("#chrom\tpos\tpos_cm\n", "{c}\t{bp}\t{cm}\n"),
    "three columns without a header": ("", "{c}\t{bp}\t{cm}\n"),
}


def read(path, chromosome="20"):
    return read_map(path, chromosome, partial(match_chromosome, chromosome))


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize("form", FORMS)
def test_genetic_maps_of_every_form_are_read(form, packed, tmp_path):
    header, line = FORMS[form]
    text = (header + lay_out(line, "chr20")).encode()
    (tmp_path / "map").write_bytes(gzip.compress(text) if packed else text)
    found = read(tmp_path / "map")
    np.testing.assert_array_equal(found.bp, BP)
    np.testing.assert_allclose(found.centimorgan, CM)


@pytest.mark.parametrize("form", [form for form in FORMS if "IMPUTE" not in form])
def test_a_genetic_map_of_the_whole_genome_serves_every_chromosome(form, tmp_path):
    header, line = FORMS[form]
    parts = {"1": 1.0, "20": 2.0, "X": 0.5}
    text = header + "".join(
        lay_out(line, name, centimorgan=times * CM) for name, times in parts.items()
    )
    (tmp_path / "map").write_text(text)
    for name, times in parts.items():
        np.testing.assert_allclose(read(tmp_path / "map", f"chr{name}").centimorgan, times * CM)
    with pytest.raises(
        InputError, match=r"is a map of chromosome 1, 20, X, not of 21; fix panel.map"
    ):
        read(tmp_path / "map", "21")


def write_one(path, line=PLINK, header="", **columns):
    path.write_text(header + lay_out(line, columns.pop("c", "20"), **columns))
    return path


def changed(values, row, value):
    other = np.array(values)
    other[row] = value
    return other


WRONG = {
    "another chromosome": (lay_out(PLINK, "2"), r"is a map of chromosome 2, not of 20"),
    "nan": (lay_out(PLINK, "20").replace(f"{CM[7]}\t", "nan\t"), "line 8 has no finite number for cM"),
    "inf": (lay_out(PLINK, "20").replace(f"{CM[7]}\t", "inf\t"), "line 8 has no finite number for cM"),
    "nan for bp": ("20 . 0 1000\n20 . 1 nan\n", "line 2 has no finite number for bp"),
    "a word for cM": ("20 . 0 1000\n20 . x 2000\n", "line 2 has no finite number for cM"),
    "swapped columns": (lay_out("{c}\t.\t{bp}\t{cm}\n", "20"), "most likely the two are swapped"),
    "rate instead of cM": (lay_out("{c}\t.\t{rate}\t{bp}\n", "20"), "most likely its column of cM holds rates"),
    "Morgans": (lay_out(PLINK, "20", centimorgan=CM / 100), r"most likely its positions are in Morgans"),
    "no cM": (lay_out("{c}\t.\t0\t{bp}\n", "20"), "cM is 0 throughout"),
    "bp for cM": (lay_out("{c}\t.\t{bp}\t{bp}\n", "20"), "more than any species has"),
    "kb for bp": (lay_out(PLINK, "20", bp=BP // 1000), "most likely another column was taken for cM, or positions are in kb"),
    "unsorted": (PLINK.format(c=20, cm=9, bp=10**8) + lay_out(PLINK, "20"), "line 2 does not rise in bp"),
    "one line falls": (lay_out(PLINK, "20", centimorgan=changed(CM, 50, 0.0)), "line 51 does not rise in cM, as 1 of 199 lines; most likely that line is wrong"),
    "a position twice": (lay_out(PLINK, "20") + PLINK.format(c=20, cm=CM[-1] + 1, bp=BP[-1]), "line 201 gives the position before it another cM"),
    "a fraction of bp": ("20 . 0 1000.5\n20 . 1 2000\n", "line 1 has 1000.5 for bp"),
    "a negative bp": ("20 . 0 -5\n20 . 1 2000\n", "line 1 has -5 for bp"),
    "one point": ("20 . 0 1000\n", "has one position only"),
    "nothing": ("", "holds no positions"),
    "two columns": ("20 5\n", "line 1 has 2 columns"),
    "a short line": (lay_out(PLINK, "20") + "20 .\n", "line 201 has 2 columns|line 201 has fewer columns"),
    "a long line": (lay_out(PLINK, "20") + "20 . 99 99999999 5\n", "columns"),
    "a header of other things": ("a b c d\n" + lay_out(PLINK, "20"), "names no column of positions in bp and in cM"),
    "not text": ("20 . 0 1\0\n", "is not text"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_genetic_maps_that_are_none_are_refused_by_their_likely_cause(name, tmp_path):
    text, message = WRONG[name]
    (tmp_path / "map").write_text(text)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "map")


def test_genetic_maps_are_looked_at_before_any_work(config, tmp_path):
    write_one(tmp_path / "map", c="2")
    config["panel"]["map"] = str(tmp_path / "map")
    problems = find_problems(read_settings(config | {"chromosomes": ["2", "1"]}))
    assert len(problems) == 1 and "is a map of chromosome 2, not of 1" in problems[0]


def test_an_unusual_rate_is_warned_of(tmp_path, caplog):
    read(write_one(tmp_path / "map", centimorgan=50 * CM))
    assert "63 cM per Mb on average is unusual" in caplog.text
    caplog.clear()
    read(write_one(tmp_path / "map2", centimorgan=np.where(BP[50] < BP, CM + 20, CM)))
    assert "line 52 and 0 more are more than 5 cM from the line before" in caplog.text


def test_how_far_a_map_reaches_is_said(tmp_path, caplog):
    caplog.set_level("INFO")
    match = partial(match_chromosome, "20")
    path = write_one(tmp_path / "map")
    inside = locate_sites(BP[:3], path, "20", match)
    np.testing.assert_allclose(inside, CM[:3])
    assert "map_coverage=1.000" in caplog.text
    beyond = np.array([BP[-1], BP[-1] + 1_000_000, BP[-1] + 2_000_000])
    np.testing.assert_allclose(np.diff(locate_sites(beyond, path, "20", match)), 1)
    assert "map_coverage=0.333" in caplog.text
    assert caplog.records[-1].levelno == logging.WARNING
    with pytest.raises(
        InputError, match="most likely it is of another genome build, or of another region"
    ):
        locate_sites(beyond[1:], path, "20", match)


def test_a_map_that_other_tools_are_given_is_the_same_map(tmp_path):
    found = read(write_one(tmp_path / "map", HAPMAP))
    write_plink_map(tmp_path / "plink", "20", found)
    again = read(tmp_path / "plink")
    np.testing.assert_array_equal(again.bp, found.bp)
    np.testing.assert_allclose(again.centimorgan, found.centimorgan, rtol=1e-7)


def test_a_map_that_unpacks_beyond_measure_is_refused(tmp_path):
    (tmp_path / "map.gz").write_bytes(gzip.compress(b"\n" * 50_000_000))
    with pytest.raises(InputError, match="times its size and more"):
        read(tmp_path / "map.gz")


def test_mutants_of_a_map_are_read_or_refused(tmp_path):
    """Whatever comes out is finite and never falls."""
    words = ("nan", "inf", "-1", "1e300", "", ".", "x", "9" * 40, "20", "chr20", "\t", "0")
    read_in = 0
    for seed in range(300):
        generator = random.Random(seed)
        header, line = generator.choice(list(FORMS.values()))
        lines = (header + lay_out(line, "20", BP[:20], CM[:20])).splitlines()
        for _ in range(generator.randint(0, 2)):
            row = generator.randrange(len(lines))
            cells = lines[row].split() or [""]
            cells[generator.randrange(len(cells))] = generator.choice(words)
            lines[row] = " ".join(cells)
        (tmp_path / f"{seed}").write_text("\n".join(lines))
        try:
            found = read(tmp_path / f"{seed}")
        except InputError:
            continue
        read_in += 1
        assert np.isfinite(found.centimorgan).all()
        assert (np.diff(found.bp) > 0).all() and (np.diff(found.centimorgan) >= 0).all()
    assert read_in > 100

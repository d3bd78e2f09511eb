"""An imputer that was received from anybody: whatever its files say, it is used or refused in one
line, within the bounds of its size, and nothing outside of its folder is touched.
"""

import os
import resource
import shutil
import signal
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest

from haplorag.errors import InputError
from haplorag.imputation.imputer import open_imputer, open_panel_chromosome
from haplorag.io.apart import try_apart
from haplorag.io.checksums import seal_file
from haplorag.io.hdf5 import read_arrays
from haplorag.io.metadata import FORMAT_VERSION, read_facts
from haplorag.panel.haplotypes import read_shard
from haplorag.steps.imputation import imputation
from hostile import craft, renew_checksums, write_any, write_json

GIGABYTE = 2**30


@contextmanager
def limiting_memory(more: int):
    """Let this process take so many bytes more than it has."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def impute(simulated, folder: Path, into: Path) -> None:
    """Impute the demo's target; nothing is left of what is refused."""
    into.mkdir(exist_ok=True)
    target, output = simulated.folder / "demo/target.vcf.gz", into / "o.vcf.gz"
    read_shard.cache_clear()
    try:
        imputation(folder, target, output, into / "s.tsv", settings=simulated.settings.imputation)
    except InputError:
        assert not list(into.iterdir())
        raise


@pytest.fixture
def received(panel_imputer, tmp_path) -> Path:
    """A copy of an imputer without a network, to be made hostile."""
    return Path(shutil.copytree(panel_imputer, tmp_path / "received"))


def rewrite_facts(folder: Path, change) -> None:
    facts = read_facts(folder / "imputer.json", "imputer")
    facts.pop("format")
    change(facts)
    write_json(folder / "imputer.json", "imputer", facts)


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/passwd", "1/../../outside", "1//panel.h5", "a\0b"]
)
def test_names_that_lead_out_of_an_imputer_are_refused(received, name):
    (received.parent / "outside").write_text("mine")
    rewrite_facts(received, lambda facts: facts["files"].update({name: "0" * 64}))
    with pytest.raises(InputError, match="leads out of the folder"):
        open_imputer(received)


def test_a_shard_outside_of_an_imputer_is_refused(received):
    path = received / "1/shards/shards.json"
    facts = read_facts(path, "shards")
    facts.pop("format")
    facts["windows"][0]["file"] = "../../../outside"
    write_json(path, "shards", facts)
    renew_checksums(received)
    with pytest.raises(
        InputError, match=r"shards.json: windows.0.file: string should match pattern"
    ):
        open_panel_chromosome(open_imputer(received), "1")


@pytest.mark.parametrize("name", ["1/panel.h5", "1/shards/window_0000.faiss.gz"])
def test_a_link_out_of_an_imputer_is_refused(received, name):
    place = received.parent / "outside"
    (received / name).rename(place)
    (received / name).symlink_to(place)
    with pytest.raises(InputError, match="is a link out of the folder"):
        open_panel_chromosome(open_imputer(received), "1")


def test_an_empty_list_of_files_is_refused(received):
    rewrite_facts(received, lambda facts: facts.update(files={}))
    with pytest.raises(InputError, match="files: dictionary should have at least 1 item"):
        open_imputer(received)


def test_a_list_that_leaves_files_out_is_refused(received):
    rewrite_facts(received, lambda facts: facts["files"].pop("1/windows.h5"))
    with pytest.raises(InputError, match=r"lists no checksum of 1/windows.h5"):
        open_imputer(received)


def test_a_name_of_any_length_is_told_in_a_short_line(received):
    rewrite_facts(received, lambda facts: facts.update(chromosomes=["1", "a" * 5000]))
    with pytest.raises(InputError, match="lists no checksum of a") as caught:
        open_imputer(received)
    assert len(str(caught.value)) < 1000


def test_pipes_in_an_imputer_are_refused(received):
    (received / "imputer.json").unlink()
    os.mkfifo(received / "imputer.json")
    with pytest.raises(InputError, match="is a pipe or a device"):
        open_imputer(received)


def test_settings_without_bounds_are_refused(received):
    rewrite_facts(received, lambda facts: facts["li_stephens"].update(estimation_rounds=10**9))
    with pytest.raises(
        InputError, match=r"li_stephens.estimation_rounds: input should be less than"
    ):
        open_imputer(received)


def lie(path: Path, make) -> None:
    """Write into a file of arrays what no array of ours is."""
    with h5py.File(path, "w", userblock_size=512) as file:
        file.attrs["format"] = f"panel/{FORMAT_VERSION}"
        make(file)
    seal_file(path)


def declare_much(file):
    """Five gigabytes of which nothing is stored."""
    file.create_dataset("variants/POS", (5 * 2**28,), "i4", chunks=(2**20,), compression="gzip")


def declare_a_chunk(file):
    file.create_dataset(
        "variants/POS", (8,), "i4", maxshape=(None,), chunks=(2**29,), compression="gzip"
    )


def point_at_one_word(file):
    """A million words that are the same megabyte: in memory a terabyte."""
    words = file.create_dataset("variants/REF", (1000,), h5py.string_dtype())
    words[:] = ["A" * 1_000_000, *[""] * 999]
    start = words.id.get_offset()
    file.flush()
    path = Path(file.filename)
    data = bytearray(path.read_bytes())
    data[start : start + 16_000] = data[start : start + 16] * 1000
    file.close()
    path.write_bytes(data)


def link_elsewhere(file):
    file["variants/POS"] = h5py.ExternalLink("/etc/passwd", "/")


@pytest.mark.parametrize("make", [declare_much, declare_a_chunk, point_at_one_word, link_elsewhere])
def test_arrays_that_ask_for_more_than_their_file_holds_are_refused(make, tmp_path):
    path = tmp_path / "panel.h5"
    lie(path, make)
    with (
        limiting_memory(GIGABYTE),
        pytest.raises(InputError, match=r"panel\.h5: .*(unpacks|points)"),
    ):
        read_arrays(path, "panel")


@pytest.mark.parametrize(
    ("file", "name", "change"),
    [
        ("panel.h5", "variants/POS", lambda values: values[::-1]),
        ("panel.h5", "variants/ALT", lambda values: values[:-1]),
        ("panel.h5", "variants/POS", lambda values: -values),
        ("panel.h5", "variants/REF", lambda values: np.array(["A\tC"] * len(values), dtype=object)),
        ("panel.h5", "variants/ID", lambda values: np.array(["a\nb"] * len(values), dtype=object)),
        ("panel.h5", "frequency", lambda values: values * np.float32("nan")),
        ("panel.h5", "genotype_frequency", lambda values: values + 5),
        ("windows.h5", "core", lambda values: values + 1),
        ("windows.h5", "context", lambda values: values * 0 + 2**30),
        ("windows.h5", "offset", lambda values: values[::-1]),
        ("windows.h5", "centimorgan", lambda values: values[::-1]),
        ("windows.h5", "centimorgan", lambda values: values * np.inf),
    ],
)  # fmt: skip
def test_tables_that_lie_are_refused_by_name(received, file, name, change):
    path = received / "1" / file
    arrays = read_arrays(path, file.removesuffix(".h5"))
    arrays[name] = change(arrays[name])
    write_any(path, arrays)
    renew_checksums(received)
    with pytest.raises(InputError, match=f"{name} does not hold what an imputer's does"):
        open_panel_chromosome(open_imputer(received), "1")


def take_memory():
    return np.ones(2**33, dtype=np.uint8)


def never_end():
    while True:
        pass


def fall_over():
    os.kill(os.getpid(), signal.SIGKILL)


def refuse():
    raise InputError("record 7 is cut; fix it")


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (take_memory, "asks for far more memory than its size allows"),
        (never_end, "takes far longer to read than its size allows"),
        (fall_over, "ends the program that reads it"),
        (refuse, "record 7 is cut; fix it"),
    ],
)
def test_a_reader_that_aborts_ends_a_process_of_its_own(read, message, tmp_path, monkeypatch):
    monkeypatch.setattr("haplorag.io.apart.CPU_SECONDS", 0)
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(InputError, match=message):
        try_apart(tmp_path / "x", read)
    try_apart(tmp_path / "x", lambda: None)


def try_crafted(imputer: Path, simulated, folder: Path, seeds: range) -> int:
    """Impute with crafted imputers; gives how many were refused."""
    refused = 0
    outside = {path: path.read_bytes() for path in imputer.rglob("*") if path.is_file()}
    for seed in seeds:
        what, said = craft(imputer, folder / "received", seed), ""
        with limiting_memory(3 * GIGABYTE):
            try:
                impute(simulated, folder / "received", folder / "out")
            except InputError as error:
                refused += 1
                said = str(error)
            except BaseException as error:
                raise AssertionError(f"seed {seed}: {what}") from error
        assert "\n" not in said and len(said) < 1200, (seed, what)
        shutil.rmtree(folder / "received")
        shutil.rmtree(folder / "out")
    assert outside == {path: path.read_bytes() for path in imputer.rglob("*") if path.is_file()}
    return refused


def test_crafted_imputers_are_used_or_refused(panel_imputer, simulated, tmp_path):
    assert try_crafted(panel_imputer, simulated, tmp_path, range(12)) > 6


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["panel_imputer", "imputer_folder"])
def test_many_crafted_imputers_are_used_or_refused(name, simulated, tmp_path, request):
    imputer = request.getfixturevalue(name)
    assert try_crafted(imputer, simulated, tmp_path, range(400)) > 200

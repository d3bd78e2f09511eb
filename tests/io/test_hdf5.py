"""Files are complete or absent, and another format is refused."""

import h5py
import numpy as np
import pandas as pd
import pytest

from haplorag.errors import InputError
from haplorag.io.atomic import replacing
from haplorag.io.checksums import checksum, seal_file
from haplorag.io.hdf5 import read_arrays, write_arrays
from haplorag.io.metadata import read_facts, write_facts
from haplorag.io.tables import read_table, remove_table, write_table


def test_arrays_come_back_as_they_were(tmp_path):
    arrays = {
        "numbers": np.arange(6, dtype=np.int8).reshape(2, 3),
        "words": np.array(["a", "ünï"]),
        "none": np.zeros((0, 2)),
    }
    write_arrays(tmp_path / "a.h5", "masks", arrays, draw="001")
    back = read_arrays(tmp_path / "a.h5", "masks")
    for name, values in arrays.items():
        np.testing.assert_array_equal(back[name], values)


def test_equal_arrays_give_equal_bytes(tmp_path):
    for name in ("a.h5", "b.h5"):
        write_arrays(tmp_path / name, "masks", {"numbers": np.arange(1000)}, draw="001")
    assert checksum(tmp_path / "a.h5") == checksum(tmp_path / "b.h5")


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    write_facts(tmp_path / "facts.json", "history", {"epoch": 1})
    with pytest.raises(KeyError), replacing(tmp_path / "facts.json") as temporary:
        temporary.write_text("half")
        raise KeyError
    assert read_facts(tmp_path / "facts.json", "history")["epoch"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["facts.json"]


def test_another_format_is_refused(tmp_path):
    write_arrays(tmp_path / "a.h5", "masks", {"numbers": np.arange(3)})
    with pytest.raises(
        InputError, match=r"a\.h5: expected a file of format windows/3, found masks/3"
    ):
        read_arrays(tmp_path / "a.h5", "windows")


def test_an_unfinished_file_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["format"] = "masks/1"
    with pytest.raises(InputError, match=r"a\.h5: damaged or cut short"):
        read_arrays(tmp_path / "a.h5", "masks")


def test_a_flipped_byte_is_noticed(tmp_path):
    path = tmp_path / "a.h5"
    write_arrays(path, "masks", {"numbers": np.random.default_rng(1).integers(0, 9, 5000)})
    with h5py.File(path) as file:
        place = file["numbers"].id.get_chunk_info(0).byte_offset
    data = bytearray(path.read_bytes())
    data[place + 100] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.h5"):
        read_arrays(path, "masks")


def test_tables_come_back_as_they_were(tmp_path):
    table = pd.DataFrame({"sample": ["NA", "1e5"], "rate": [0.5, np.nan]})
    write_table(tmp_path / "t.tsv", table)
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.tsv", sample=str), table)


def test_a_removed_table_leaves_no_checksum(tmp_path):
    write_table(tmp_path / "t.tsv", pd.DataFrame({"rate": [0.5]}))
    remove_table(tmp_path / "t.tsv")
    remove_table(tmp_path / "t.tsv")
    assert not list(tmp_path.iterdir())


def test_broken_json_is_refused(tmp_path):
    (tmp_path / "facts.json").write_text("{")
    with pytest.raises(InputError, match=r"facts\.json"):
        read_facts(tmp_path / "facts.json", "history")


@pytest.mark.parametrize("kind", ["external", "soft", "storage"])
def test_nothing_outside_the_file_is_read(tmp_path, kind):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["a"] = [1, 2, 3]
    path = tmp_path / "a.h5"
    write_arrays(path, "masks", {"b": np.arange(3)})
    with h5py.File(path, "r+") as file:
        if kind == "storage":
            file.create_dataset("a", (3,), np.int64, external=[(str(secret), 0, 24)])
        else:
            file["a"] = (
                h5py.ExternalLink(str(secret), "a") if kind == "external" else h5py.SoftLink("/b")
            )
    seal_file(path)
    with pytest.raises(InputError, match=r"a\.h5: a points out of its place"):
        read_arrays(path, "masks", "b")

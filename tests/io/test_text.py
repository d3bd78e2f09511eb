"""Files from elsewhere, read whole."""

import tracemalloc

from haplorag.io.text import read_bytes


def test_reading_a_small_file_takes_little_memory(tmp_path):
    path = tmp_path / "shard"
    path.write_bytes(b"ACGT" * 1000)
    tracemalloc.start()
    try:
        assert read_bytes(path) == b"ACGT" * 1000
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()

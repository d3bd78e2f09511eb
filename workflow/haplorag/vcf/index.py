"""What a VCF's index counts."""

from __future__ import annotations

import struct
from pathlib import Path

from haplorag.errors import InputError
from haplorag.io.text import shorten
from haplorag.vcf.bgzf import read_pieces
from haplorag.vcf.header import Header

UNCOUNTED = -1
# Bytes of an unpacked index, whatever its size: that of a VCF of 100 GB has a quarter of it.
LONGEST_INDEX, MOST_PACKING = 2**27, 200
# Levels of bins that fit into the numbers of an index.
DEEPEST_INDEX = 10


def count_indexed(path: Path, header: Header) -> dict[str, int] | None:
    """Records by chromosome as the file's index (tbi or csi) counts them, UNCOUNTED where it does
    not; None without an index. That of a BCF has no names of its own but the header's.

    Raises InputError where the index cannot be read.
    """
    index = next(
        (found for end in (".csi", ".tbi") if (found := Path(f"{path}{end}")).exists()), None
    )
    if index is None:
        return None
    try:
        reader = _BytesReader(_unpack(index))
        magic = reader.take(4)
        if magic not in (b"TBI\1", b"CSI\1"):
            raise ValueError("it is of another kind")
        return _count_tabix(reader) if magic == b"TBI\1" else _count_csi(reader, header)
    except (InputError, struct.error, ValueError, IndexError) as error:
        raise InputError(
            f"{index}: not a whole index of {path} ({shorten(str(error))}); remove it, or run: "
            f"tabix -f {path}"
        ) from error


def _unpack(index: Path) -> bytes:
    """The bytes of an index, as many as one of its size may have."""
    if not index.is_file():
        raise ValueError("it is not a file")
    most = min(LONGEST_INDEX, MOST_PACKING * index.stat().st_size + 2**20)
    pieces = []
    left = most
    for piece in read_pieces(index):
        left -= len(piece)
        if left < 0:
            raise ValueError("it unpacks to far more than an index of its size holds")
        pieces.append(piece)
    return b"".join(pieces)


class _BytesReader:
    """Takes one thing after the other from bytes; what does not lie ahead raises ValueError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next bytes."""
        self.skip(count)
        return self._data[self._at - count : self._at]

    def skip(self, count: int) -> None:
        """Leave out so many bytes."""
        if not 0 <= count <= len(self._data) - self._at:
            raise ValueError("a count in it leads out of it")
        self._at += count

    def unpack(self, form: str) -> tuple[int, ...]:
        """The next numbers, as `struct` names their form."""
        return struct.unpack(form, self.take(struct.calcsize(form)))


def _count_tabix(reader: _BytesReader) -> dict[str, int]:
    references, *_, length = reader.unpack("<8i")
    names = _take(reader.take(length).split(b"\0"), references)
    return _count_bins(reader, names, special=37450, csi=False)


def _count_csi(reader: _BytesReader, header: Header) -> dict[str, int]:
    _, depth, length = reader.unpack("<iii")
    auxiliary = reader.take(length)
    names = auxiliary[28:].split(b"\0")
    if length < 28:
        names = [name.encode() for name in header.lengths]
    references = reader.unpack("<i")[0]
    if not 0 <= depth <= DEEPEST_INDEX:
        raise ValueError(f"its depth is {depth}")
    special = ((1 << 3 * (depth + 1)) - 1) // 7 + 1
    return _count_bins(reader, _take(names, references), special, csi=True)


def _take(names: list[bytes], references: int) -> list[bytes]:
    """Names of so many chromosomes."""
    if references < 0:
        raise ValueError("it has less than no chromosomes")
    return names[:references]


def _count_bins(
    reader: _BytesReader, names: list[bytes], special: int, csi: bool
) -> dict[str, int]:
    """Walk the bins; the one numbered `special` counts a chromosome's records instead of pointing
    at them.
    """
    counts = {name.decode(): UNCOUNTED for name in names}
    for name in names:
        bins = reader.unpack("<i")[0]
        if not bins:
            counts[name.decode()] = 0
        if bins < 0:
            raise ValueError("it has less than no bins")
        for _ in range(bins):
            number = reader.unpack("<I")[0]
            reader.skip(8 if csi else 0)
            chunks = reader.unpack("<i")[0]
            if number == special:
                pointers = reader.take(16 * chunks)
                counts[name.decode()] = struct.unpack_from("<4Q", pointers)[2]
            else:
                reader.skip(16 * chunks)
        if not csi:
            reader.skip(8 * reader.unpack("<i")[0])
    return counts

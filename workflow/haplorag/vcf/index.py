"""What a VCF's index counts."""

from __future__ import annotations

import struct
from pathlib import Path

from haplorag.errors import InputError
from haplorag.vcf.bgzf import read_pieces
from haplorag.vcf.header import Header

UNCOUNTED = -1


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
        data = b"".join(read_pieces(index))
        return _count_tabix(data) if data[:4] == b"TBI\1" else _count_csi(data, header)
    except (InputError, struct.error, ValueError, IndexError) as error:
        raise InputError(
            f"{index}: not a whole index of {path}; remove it, or run: tabix -f {path}"
        ) from error


def _count_tabix(data: bytes) -> dict[str, int] | None:
    references, *_, length = struct.unpack_from("<8i", data, 4)
    names = data[36 : 36 + length].split(b"\0")[:references]
    return _count_bins(data, 36 + length, names, special=37450, csi=False)


def _count_csi(data: bytes, header: Header) -> dict[str, int]:
    magic, _, depth, length = struct.unpack_from("<4siii", data)
    if magic != b"CSI\1":
        raise ValueError("no index")
    auxiliary = data[16 : 16 + length]
    names = auxiliary[28:].split(b"\0")
    if length < 28:
        names = [name.encode() for name in header.lengths]
    references = struct.unpack_from("<i", data, 16 + length)[0]
    return _count_bins(
        data,
        20 + length,
        names[:references],
        special=((1 << 3 * (depth + 1)) - 1) // 7 + 1,
        csi=True,
    )


def _count_bins(
    data: bytes, at: int, names: list[bytes], special: int, csi: bool
) -> dict[str, int]:
    """Walk the bins; the one numbered `special` counts a chromosome's records instead of pointing
    at them.
    """
    counts = {name.decode(): UNCOUNTED for name in names}
    for name in names:
        bins = struct.unpack_from("<i", data, at)[0]
        if not bins:
            counts[name.decode()] = 0
        at += 4
        for _ in range(bins):
            number = struct.unpack_from("<I", data, at)[0]
            at += 12 if csi else 4
            chunks = struct.unpack_from("<i", data, at)[0]
            if number == special:
                counts[name.decode()] = struct.unpack_from("<4Q", data, at + 4)[2]
            at += 4 + 16 * chunks
        if not csi:
            at += 4 + 8 * struct.unpack_from("<i", data, at)[0]
    return counts

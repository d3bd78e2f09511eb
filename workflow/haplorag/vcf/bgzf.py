"""Reads the bytes of VCF files: of which kind a file is, and whether its blocks are whole."""

from __future__ import annotations

import logging
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from haplorag.errors import InputError

log = logging.getLogger(__name__)
BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
BGZF_MAGIC = b"\x1f\x8b\x08\x04"
PIECE = 2**20
AGAIN = "run the download or the program that wrote it again"
FOREIGN_FORMATS = {
    b"\x1f\x8b": "block gzip within gzip; run: gunzip -c OLD > new.vcf.gz",
    b"\xff\xfe": "UTF-16 text; run: iconv -f UTF-16 -t UTF-8 OLD | bgzip > new.vcf.gz",
    b"\xfe\xff": "UTF-16 text; run: iconv -f UTF-16 -t UTF-8 OLD | bgzip > new.vcf.gz",
    b"\xef\xbb\xbf": "text with a byte order mark; remove the mark from line 1: sed "
    "'1s/^\\xef\\xbb\\xbf//'",
    b"version https://git-lfs": "a git-LFS pointer, not the data; run: git lfs pull",
    b"<": "a web page, not a VCF; run the download again, signed in where the site asks for it",
    b"#CHROM": "a VCF without its line 1; set it to ##fileformat=VCFv4.2",
}


def check_container(path: Path) -> str:
    """Check what can be seen without unpacking a file; gives its kind: `text`, `bgzf` (text within)
    or `bcf`.

    Raises InputError where it is no VCF, is packed otherwise, or where a block is cut, filled with
    zeros or followed by more.
    """
    check_path(path)
    with path.open("rb") as handle:
        head = handle.read(18)
        if not head:
            raise InputError(f"{path}: is empty; {AGAIN}")
        if head[:2] == b"\x1f\x8b" and not _is_block(head):
            raise InputError(
                f"{path}: plain gzip, not block gzip; run: gunzip -c OLD | bgzip > new.vcf.gz"
            )
        if head[:3] == b"BCF":
            return "bcf"
        if head[:2] != b"\x1f\x8b":
            _refuse_foreign_formats(path, head + handle.read(100))
            if path.suffix in (".gz", ".bgz"):
                raise InputError(
                    f"{path}: plain text in spite of its name; run: bgzip < OLD > new.vcf.gz, or "
                    "rename it"
                )
            return "text"
        handle.seek(0)
        for _ in iterate_blocks(path, handle, unpack=False):
            pass
    first = next(read_pieces(path), b"")
    if first[:3] == b"BCF":
        return "bcf"
    _refuse_foreign_formats(path, first)
    return "bgzf"


def check_path(path: Path) -> None:
    """Raise InputError where a path is none that can be read: no file, a folder, a pipe, a broken
    link, an odd name.
    """
    shown = ascii(str(path)) if not str(path).isprintable() else str(path)
    if shown != str(path) or "##idx##" in shown:
        raise InputError(
            f"{shown}: a name with control characters or ##idx## cannot be read; rename the file"
        )
    try:
        path.stat()
    except OSError as error:
        raise InputError(f"{path}: no such file ({error.strerror}); fix the path") from error
    if re.match(r"\w+:", str(path)):
        log.warning(
            "%s: is read as a file here, not from the net; rename it if that is meant", path
        )
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "a pipe or a device"
        raise InputError(f"{path}: is {kind}, not a file; set the path to a VCF file")


def iterate_blocks(path: Path, handle: BinaryIO, unpack: bool = True) -> Iterator[bytes]:
    """Walk the blocks of a block-gzipped file from its start; give each one's text, checked, or
    nothing but the walk.

    Raises InputError where a block is cut, damaged or missing at the end; the message says after
    which line.
    """
    offset, lines, last = 0, 0, b""
    size = path.stat().st_size
    while offset < size:
        head = handle.read(18)
        length = struct.unpack("<H", head[16:18])[0] + 1 if _is_block(head) else 0
        if not length or offset + length > size:
            what = "cut short in" if length or len(head) < 18 else "no longer block gzip from"
            # Only one who unpacks knows the line.
            where = f"line {lines}" if unpack else _find_line(path)
            raise InputError(f"{path}: {what} the block at byte {offset}, after {where}; {AGAIN}")
        if unpack:
            text = _unpack(
                path, head + handle.read(length - 18), f"byte {offset}, after line {lines}"
            )
            lines += text.count(b"\n")
            yield text
        else:
            handle.seek(length - 18, 1)
        last = head
        offset += length
    if last != BGZF_END[:18]:
        where = f"line {lines}" if unpack else _find_line(path)
        raise InputError(
            f"{path}: cut short after {where}, the end-of-file block is missing; {AGAIN}"
        )


def read_pieces(path: Path) -> Iterator[bytes]:
    """The unpacked bytes of a file, about 1 MB at a time.

    Raises InputError where a block is damaged.
    """
    with path.open("rb") as handle, unchanged(path):
        packed = _is_block(handle.read(18))
        handle.seek(0)
        if not packed:
            yield from iter(lambda: handle.read(PIECE), b"")
            return
        pieces: list[bytes] = []
        length = 0
        for block in iterate_blocks(path, handle):
            pieces.append(block)
            length += len(block)
            if length >= PIECE:
                yield b"".join(pieces)
                pieces, length = [], 0
        if length:
            yield b"".join(pieces)


@contextmanager
def unchanged(path: Path) -> Iterator[None]:
    """Raise InputError where a file is not after the block what it was before, as far as size and
    time of change tell.
    """

    def look() -> tuple[int, int, int]:
        found = path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns

    before = look()
    yield
    if look() != before:
        raise InputError(
            f"{path}: was changed while it was read; wait until it is whole and run again"
        )


def _is_block(head: bytes) -> bool:
    return head[:4] == BGZF_MAGIC and head[12:16] == b"BC\2\0"


def _unpack(path: Path, block: bytes, where: str) -> bytes:
    checksum, length = struct.unpack("<II", block[-8:])
    try:
        text = zlib.decompress(block[18:-8], -15)
    except zlib.error as error:
        raise InputError(f"{path}: damaged in the block at {where} ({error}); {AGAIN}") from error
    if len(text) != length or zlib.crc32(text) != checksum:
        raise InputError(f"{path}: damaged in the block at {where}, its checksum differs; {AGAIN}")
    return text


def _find_line(path: Path) -> str:
    lines = 0
    try:
        with path.open("rb") as handle:
            for text in iterate_blocks(path, handle):
                lines += text.count(b"\n")
    except InputError:
        pass
    return f"line {lines}"


def _refuse_foreign_formats(path: Path, head: bytes) -> None:
    for mark, what in FOREIGN_FORMATS.items():
        if head.lstrip()[: len(mark)] == mark:
            raise InputError(f"{path}: {what}")
    if not head.startswith(b"##fileformat=VCF"):
        raise InputError(
            f"{path}: line 1 is not ##fileformat=VCF; set it so, or use a VCF or BCF file"
        )

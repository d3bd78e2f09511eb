"""Alleles as numbers, wherever they are held: 0 is REF, 1 is ALT, and two that are neither."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Not known; and not there, as the second allele of a haploid genotype. VCF Zarr has the same two.
MISSING, ABSENT = -1, -2
# The bits of the second alleles in a byte of `AlleleBits`.
SECOND = np.uint8(0b01010101)


class AlleleBits(NamedTuple):
    """Alleles of sites as bits, genotype by genotype, uint8 [S, bytes]: which are ALT, and which
    are known.
    """

    alternate: np.ndarray
    known: np.ndarray


def pack_alleles(alleles: np.ndarray) -> AlleleBits:
    """Pack alleles int8 [S, n, 2]: a tenth of the time that any count takes of bytes."""
    flat = alleles.reshape(len(alleles), alleles.shape[1] * 2)
    if flat.min(initial=0) < 0:
        return AlleleBits(np.packbits(flat > 0, axis=1), np.packbits(flat >= 0, axis=1))
    packed = np.packbits(flat, axis=1)
    everyone = np.packbits(np.ones(flat.shape[1], dtype=bool))
    return AlleleBits(packed, np.broadcast_to(everyone, packed.shape))


def pack_people(members: np.ndarray) -> np.ndarray:
    """The bits uint8 [bytes] of both alleles of some of n people, bool [n], as `AlleleBits`."""
    return np.packbits(np.repeat(members, 2))


def count_bits(plane: np.ndarray) -> np.ndarray:
    """How many bits are set in each row of uint8 [S, bytes]: int64 [S]."""
    return np.bitwise_count(plane).sum(axis=1, dtype=np.int64)


def find_whole(bits: AlleleBits) -> np.ndarray:
    """Genotypes of which both alleles are known, in the places of their second alleles."""
    return bits.known & (bits.known >> 1) & SECOND


def find_different(bits: AlleleBits) -> np.ndarray:
    """Genotypes of two known alleles that differ, in the places of their second alleles."""
    return (bits.alternate ^ (bits.alternate >> 1)) & find_whole(bits)


def pack_sites(alleles: np.ndarray) -> np.ndarray:
    """Pack alleles 0/1 uint8 [S, N] of eight sites at a time: uint8 [ceil(S / 8), N], the first
    site in the highest bit.
    """
    packed = np.zeros((-(-len(alleles) // 8), alleles.shape[1]), dtype=np.uint8)
    for place in range(8):
        rows = alleles[place::8]
        packed[: len(rows)] |= rows << np.uint8(7 - place)
    return packed


def sum_genotypes(alleles: np.ndarray) -> np.ndarray:
    """ALT alleles of genotypes, in those of a diploid: int8 [...] of alleles int8 [..., 2].

    -1 where an allele is missing. A haploid genotype counts twice, as it does where frequencies of
    men and women are compared: 0 or 2.
    """
    first, second = alleles[..., 0], alleles[..., 1]
    second = np.where(second == ABSENT, first, second)
    return np.where((first < 0) | (second < 0), MISSING, first + second).astype(np.int8)


def sum_dosages(probability: np.ndarray, alleles: np.ndarray) -> np.ndarray:
    """The dosages float64 [...] that go with `sum_genotypes`, of probabilities of ALT [..., 2]."""
    first, second = (probability[..., number].astype(np.float64) for number in (0, 1))
    return first + np.where(alleles[..., 1] == ABSENT, first, second)

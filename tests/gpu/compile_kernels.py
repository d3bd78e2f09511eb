"""Compiles the kernels for an H100 (sm_90), which needs no GPU, and tells what they take.

Prints a line for each kernel and shape of a panel: its name, the shape, and the bytes of each
thread's registers that did not fit and go through memory.
"""

import re
import subprocess
import tempfile
from pathlib import Path

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from haplorag.gpu import kernels
from haplorag.gpu.panel_bits import Shape, choose_shape

HOPPER = GPUTarget("cuda", 90, 32)
DUMP = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
INTEGERS = {"bits", "core_bits", "own", "until", "place_of", "core_of"}
# The worked example's panel, the smallest, one of the largest that fits one tile, a biobank's.
PANELS = (24, 4008, 8000, 200_000)


def compile_kernel(kernel: triton.JITFunction, shape: Shape, flags: dict[str, int]) -> bytes:
    """Machine code of a kernel, typed as `copying` calls it."""
    constants = {**flags, "LANES": shape.lanes, "BLOCK": shape.block, "TILES": shape.tiles}
    names = kernel.arg_names
    types = {name: _type_of(name, constants) for name in names}
    source = ASTSource(
        fn=kernel,
        signature=types,
        constexprs={(names.index(name),): value for name, value in constants.items()},
        attrs={
            (number,): [["tt.divisibility", 16]]
            for number, name in enumerate(names)
            if types[name].startswith("*")
        },
    )
    return triton.compile(source, target=HOPPER, options={"num_warps": shape.warps}).asm["cubin"]


def _type_of(name: str, constants: dict) -> str:
    if name in constants:
        return "constexpr"
    if name in kernels.VARY:
        return "i32"
    return "*i8" if name == "alleles" else "*i32" if name in INTEGERS else "*fp32"


def count_stack(code: bytes) -> int:
    """Bytes of stack that a thread takes."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(code)
        file.flush()
        dumped = subprocess.run(
            [DUMP, "--dump-resource-usage", file.name], capture_output=True, text=True, check=True
        )
    return int(re.search(r"STACK:(\d+)", dumped.stdout)[1])


def main() -> None:
    """Compile all and print."""
    for panel in PANELS:
        shape = choose_shape(panel)
        for keep in (False, True):
            code = compile_kernel(kernels.go_forward, shape, {"KEEP": keep})
            print("go_forward", f"{shape} KEEP={keep}", count_stack(code), sep="\t")
        for weights, evident in ((False, -1), (True, -1), (False, 2)):
            flags = {"WEIGHTS": weights, "EVIDENT": evident}
            code = compile_kernel(kernels.go_back, shape, flags)
            print("go_back", f"{shape} {flags}", count_stack(code), sep="\t")


if __name__ == "__main__":
    main()

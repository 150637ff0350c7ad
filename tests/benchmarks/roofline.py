"""The most GFLOP/s one core can reach in float32: independent chains of fused multiply-add, without memory."""

import ctypes
import time

import llvmlite.binding as llvm
from llvmlite import ir

ROUNDS = 1_000_000


def _lanes_and_chains():
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 16, 24
    if features.get("avx"):
        return 8, 12
    return 4, 24


def _program(lanes, chains):
    """LLVM text of `float run(int64 rounds)`."""
    vector, count = ir.VectorType(ir.FloatType(), lanes), ir.IntType(64)
    module = ir.Module(name="roofline")
    function = ir.Function(module, ir.FunctionType(ir.FloatType(), [count]), name="run")
    fma = ir.Function(module, ir.FunctionType(vector, [vector] * 3), name=f"llvm.fma.v{lanes}f32")
    entry, loop, end = (function.append_basic_block(name) for name in ("entry", "loop", "end"))
    build = ir.IRBuilder(entry)
    build.branch(loop)
    build.position_at_end(loop)
    index = build.phi(count)
    sums = [build.phi(vector) for _ in range(chains)]
    # Values stay normal numbers: x -> 0.5 x + 0.5 tends to 1.
    half = ir.Constant(vector, [0.5] * lanes)
    results = [build.call(fma, [value, half, half]) for value in sums]
    following = build.add(index, count(1))
    build.cbranch(build.icmp_signed("<", following, function.args[0]), loop, end)
    index.add_incoming(count(0), entry)
    index.add_incoming(following, loop)
    for number, (value, result) in enumerate(zip(sums, results, strict=True)):
        value.add_incoming(ir.Constant(vector, [float(number)] * lanes), entry)
        value.add_incoming(result, loop)
    build.position_at_end(end)
    total = results[0]
    for result in results[1:]:
        total = build.fadd(total, result)
    build.ret(build.extract_element(total, ir.IntType(32)(0)))
    return str(module)


def gigaflops(seconds=0.3, clock=time.perf_counter):
    """The best rate seen in about `seconds`, in units of 1e9 operations per second; one FMA is two."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    lanes, chains = _lanes_and_chains()
    target = llvm.Target.from_default_triple()
    features = llvm.get_host_cpu_features().flatten()
    machine = target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3)
    module = llvm.parse_assembly(_program(lanes, chains))
    best, end = 0.0, time.perf_counter() + seconds
    with llvm.create_mcjit_compiler(module, machine) as engine:
        engine.finalize_object()
        run = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64)(engine.get_function_address("run"))
        while time.perf_counter() < end:
            start = clock()
            run(ROUNDS)
            best = max(best, 2 * lanes * chains * ROUNDS / (clock() - start) / 1e9)
    return best


if __name__ == "__main__":
    print(f"{gigaflops():.0f} GFLOP/s")

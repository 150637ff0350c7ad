"""`@kernel`: the only place that spells Numba's options, and the cache of compiled kernels.

A kernel takes C-contiguous arrays, 64-bit integers and `None`. A real parameter is an array of one element,
so that every argument is one or more machine words and a compiled kernel can be called through its address
(`dseq.kernels.table`).

Compiled code is kept on disk in a folder named after a digest of all kernels' text: Numba's own cache looks at
the edited file only and would serve a caller whose callee has changed. Each entry carries its own digest,
is checked before it is unpickled, and is compiled again if it is damaged.
"""

import atexit
import hashlib
import os
import shutil
import stat
import sys
import tempfile
import warnings
from functools import cache
from pathlib import Path

import llvmlite
import numba
import numpy as np
from numba import types
from numba.core import caching, serialize
from numba.core.registry import CPUDispatcher
from numba.extending import intrinsic

from dseq import config

JIT = not numba.config.DISABLE_JIT

# error_model="numpy": a division by zero gives inf as in NumPy; with Python's model every division carries a
# branch and no loop vectorises. contract: multiply and add may fuse; nothing else of fastmath, so that NaN survives
# and no sum over rows is reordered. nogil: MPI progress and data loading may run in other threads. Nobody uses the
# wrapper for C, and compiling it takes time.
OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}, "no_cfunc_wrapper": True}


def kernel(function=None, *, fastmath=()):
    """Compiles a function the way every kernel is compiled, on first use, with the on-disk cache.

    Args:
        function: A function of C-contiguous arrays, ints and `None`, or of scalars when other kernels call it.
        fastmath: Further LLVM fast-math flags beyond contraction, for a kernel whose benchmark shows the need.

    Returns:
        The compiled function; with `NUMBA_DISABLE_JIT=1` the function itself.
    """
    if function is None:
        return lambda f: kernel(f, fastmath=fastmath)
    if not JIT:
        return function
    compiled = numba.njit(**{**OPTIONS, "fastmath": OPTIONS["fastmath"] | set(fastmath)})(function)
    compiled._cache = KernelCache(function)
    return compiled


class _Inlined(CPUDispatcher):
    """Has what Python needs for a call only when Python does call: a kernel compiles in three quarters of the time."""

    _for_python = None

    def __call__(self, *args):
        if self._for_python is None:
            self._for_python = numba.njit(**OPTIONS)(self.py_func)
        return self._for_python(*args)


def inlined(function):
    """A scalar helper of kernels: compiled into each caller, so that the caller's loops vectorise."""
    if not JIT:
        return function
    compiled = numba.njit(**OPTIONS, forceinline=True, no_cpython_wrapper=True)(function)
    compiled.__class__ = _Inlined
    return compiled


def primitive(twin, prefer_literal=False):
    """An operation written in LLVM; with `NUMBA_DISABLE_JIT=1` its Python twin.

    Only functions made by `kernel` or `inlined` may call it: the plain-Python runner calls kernels' Python text,
    and there an intrinsic does not exist.
    """
    return lambda typer: intrinsic(prefer_literal=prefer_literal)(typer) if JIT else twin


def argument_type(value):
    """The Numba type of a kernel's argument: an array, an int or `None`."""
    if value is None:
        return types.none
    if isinstance(value, int | np.integer):
        return types.int64
    if not value.flags.c_contiguous:
        raise ValueError(f"Kernels take C-contiguous arrays. Received: strides={value.strides} of shape {value.shape}")
    return array_type(value.dtype.name, value.ndim)


@cache
def array_type(dtype, ndim):
    """The Numba type of a C-contiguous array.

    Args:
        dtype: Name of the elements' type.
        ndim: Number of axes.
    """
    return types.Array(numba.from_dtype(np.dtype(dtype)), ndim, "C")


def address(compiled, signature) -> int:
    """The machine address of a kernel for a tuple of argument types, compiled or loaded if it has to be."""
    if signature not in compiled.overloads:
        compiled.compile(signature)
    result = compiled.overloads[signature]
    return result.library.get_pointer_to_function(result.fndesc.llvm_func_name)


def is_ready(compiled, signature) -> bool:
    """Whether a kernel needs no compiler for these argument types: it is loaded, or it is in the cache."""
    return signature in compiled.overloads or compiled._cache.holds(signature)


@cache
def digest() -> str:
    """What compiled code depends on: the kernels' text and the versions of all that compiles it."""
    folder = Path(__file__).parent
    text = b"".join(path.name.encode() + path.read_bytes() for path in sorted(folder.glob("*.py")))
    python = f"{sys.implementation.cache_tag} {getattr(sys, 'abiflags', '')}"  # pickled code belongs to one Python
    settings = f"{config.isa} {numba.config.OPT} {numba.config.BOUNDSCHECK} {numba.config.DEBUGINFO_DEFAULT}"
    versions = f"{python} {numba.__version__} {llvmlite.__version__} {np.__version__} {settings}"
    return hashlib.sha256(versions.encode() + text).hexdigest()[:16]


@cache
def cache_folder() -> Path:
    """The folder of compiled kernels, private to its owner: what lies in it is run.

    Where that cannot be had, a temporary folder of this process, with a warning.
    """
    folder = config.cache / f"kernels-{digest()}"
    try:
        config.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        above = config.cache.stat()
        if above.st_uid not in (0, os.geteuid()):
            raise PermissionError(f"{config.cache} belongs to another user, who could replace what lies in it")
        if above.st_mode & 0o022 and not above.st_mode & stat.S_ISVTX:
            raise PermissionError(f"others may write to {config.cache} and replace what lies in it")
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise PermissionError(f"{folder} belongs to another user or is not a folder")
        folder.chmod(0o700)
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"{folder} is not writable")
    except OSError as error:
        private = Path(tempfile.mkdtemp(prefix="dseq-"))
        atexit.register(shutil.rmtree, private, ignore_errors=True)
        warnings.warn(
            f"Compiled kernels can't be kept: {error}. They go to {private} and are compiled anew in each process. "
            "Set DSEQ_CACHE to a folder of your own.",
            stacklevel=2,
        )
        return private
    return folder


class _Locator(caching._CacheLocator):
    """Tells Numba where entries lie; our folder's name says all that a time stamp would."""

    def __init__(self, py_func, py_file):
        self._py_file = py_file

    def get_cache_path(self):
        return str(config.cache)

    def get_source_stamp(self):
        return digest()

    def get_disambiguator(self):
        return ""

    @classmethod
    def from_function(cls, py_func, py_file):
        return cls(py_func, py_file)


class _Implementation(caching.CompileResultCacheImpl):
    _locator_classes = [_Locator]


class _Entries:
    """One file per compiled kernel: the SHA-256 of the rest, then the pickle. Files are replaced atomically."""

    def __init__(self, name):
        self._name = name

    def path(self, key) -> Path:
        return cache_folder() / f"{self._name}-{hashlib.sha256(repr(key).encode()).hexdigest()[:20]}.bin"

    def load(self, key):
        path = self.path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        if hashlib.sha256(content[32:]).digest() != content[:32]:
            path.unlink(missing_ok=True)
            return None
        return serialize.pickle.loads(content[32:])

    def save(self, key, data):
        content = serialize.dumps(data)
        path = self.path(key)
        scratch = None
        try:
            # Not named after the process: containers that share a folder have processes of the same number.
            number, scratch = tempfile.mkstemp(dir=path.parent, prefix="scratch-")
            with open(number, "wb") as file:
                file.write(hashlib.sha256(content).digest() + content)
            os.replace(scratch, path)
        except OSError as error:
            if scratch is not None:
                Path(scratch).unlink(missing_ok=True)
            warnings.warn(f"A compiled kernel could not be kept in {path.parent}: {error}", stacklevel=2)

    def flush(self):
        pass


class KernelCache(caching.FunctionCache):
    """Numba's function cache with our folder and our files."""

    _impl_class = _Implementation

    def __init__(self, function):
        self._name = repr(function)
        self._py_func = function
        self._impl = self._impl_class(function)
        self._cache_path = self._impl.locator.get_cache_path()
        self._cache_file = _Entries(
            f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}".replace("<locals>", "")
        )
        self.enable()

    def holds(self, signature) -> bool:
        target = numba.core.registry.cpu_target.target_context
        return self._cache_file.path(self._index_key(signature, target.codegen())).exists()

    def load_overload(self, sig, target_context):
        loaded = super().load_overload(sig, target_context)
        if config.debug:
            print(f"dseq: {'loaded' if loaded else 'compiling'} {self._py_func.__name__}{sig}", flush=True)
        return loaded

"""From a plan to something that runs.

One binding, three runners with the same calls on the same memory in the same order:

- `table`: all calls of a phase in one compiled loop over machine addresses (`jit_compile=True`);
- `calls`: the compiled kernels called one by one from Python (`jit_compile=False`), equal to the bit;
- `python`: the kernels' Python text (`run_eagerly=True`, `NUMBA_DISABLE_JIT=1`), for the debugger.

The number of rows is an argument: words of the table that depend on it are rewritten when it changes.

A step may hold several shards of the batch. Each has rows of its own in the same memory, and gradients, sums and blocks
that belong to no sample of its own; forward and backward run over one shard after the other, or over several at once on
threads, up to the next pause, where shards are summed.
"""

from itertools import pairwise

import numpy as np

from dseq.kernels import table as call_table
from dseq.kernels.base import JIT, address, argument_type, array_type, is_ready
from dseq.kernels.denormal import current, flush, restore
from dseq.kernels.link import callees
from dseq.program.host import is_host
from dseq.program.memory import ALIGNMENT, adoptions, aligned, pack
from dseq.program.operand import Operand
from dseq.program.plan import CLOCK
from dseq.program.variable import assignments

RUNNERS = ("table", "calls", "python")


class Step:
    """A plan bound to memory.

    Args:
        plan: What to run.
        parameters: The arenas of a training model; None for a plan without gradients, which reads weights
            wherever they live.
        runner: `"table"`, `"calls"` or `"python"`.
        keep: Operands that are read after the step. Where they are told, and there is one shard and no gradients or
            a plan that zeroes them as it goes, blocks that are dead lend their memory to others; None keeps all.
        shards: Number of shards that the step holds; `parameters` has gradients for as many.

    Attributes:
        exchange: Function of a list of arrays, one for each shard, that makes each the sum over all shards of all
            ranks; None if there is but one shard.
        threads: Function that makes several calls at once, as `map(function, arguments)`; None for one by one.
        tails: The sums of the last run, as `plan.sums` laid them out, for each shard; `tail` is the first's.
        clocks: What kernels read that draw random numbers, for each shard: see `plan.CLOCK`; `clock` is the first's.
        rows: The number of rows the step is bound for.
    """

    def __init__(self, plan, parameters=None, runner="table", keep=None, shards=1):
        if runner not in RUNNERS:
            raise ValueError(f"`runner` must be one of {RUNNERS}. Received: {runner!r}")
        self.plan = plan
        self.parameters = parameters
        self.runner = runner if JIT else "python"
        self.rows = None
        self.exchange = self.threads = None
        self.clocks = np.zeros((shards, len(CLOCK)), np.int64)
        self.clocks[:, CLOCK.index("shard")] = range(shards)
        self.clocks[:, CLOCK.index("shards")] = shards
        self.clock = self.clocks[0]
        self._shards = range(shards)
        self.scales = np.zeros(max(1, len(plan.scales)))
        self._scale_index = {name: i for i, name in enumerate(plan.scales)}
        if parameters is not None:
            self.tails = parameters.tails[:, : plan.tail_size]
        else:
            self.tails = np.zeros((shards, plan.tail_size), plan.dtype)
        self.tail = self.tails[0]
        self._calls, self._signatures = plan.calls(), None
        self._head_end = len(plan.head_calls)
        self._forward_end = self._head_end + len(plan.forward_calls)
        self._compute_end = self._forward_end + len(plan.backward_calls)
        self._update_end = self._compute_end + len(plan.update_calls)
        self._hosts = [i for i, (kernel, _) in enumerate(self._calls) if is_host(kernel)]
        # Blocks that share memory have rows of other lengths: a shard would write over the next one's.
        self._layout(keep if shards == 1 and (parameters is None or plan.zeroes) else None)
        self._zeroed = self._gradients_to_zero()
        self._tables = None
        self._seen = None
        self._made_of = None  # how often weights had changed when the head of the plan was run
        self._capacity = 0

    def _layout(self, keep):
        """Bytes per row before each block; values first, then gradients, which are zeroed as one piece."""
        arenas = ("activations", "activation_grads", "shared", "shared_grads")
        self._before, total = {}, dict.fromkeys(arenas, 0)
        for block in self.plan.blocks:
            self._before[id(block)] = total[block.arena]
            total[block.arena] += _place(block)
        self._packed = keep is not None
        if self._packed:  # values and gradients lie side by side, in one arena
            blocks = [block for block in self.plan.blocks if block.per_row]
            starts, total["activations"] = pack(self._lifetimes(blocks, keep))
            total["activation_grads"] = 0
            self._before |= {id(block): start for block, start in zip(blocks, starts, strict=True)}
        self._row_bytes = {arena: total[arena] for arena in arenas[:2]}
        self._shared = {arena: [aligned(total[arena]) for _ in self._shards] for arena in arenas[2:]}
        overwritten = self.plan.overwritten
        grads = [b for b in self.plan.blocks if b.arena == "activation_grads" and not self._packed]
        starts = [self._before[id(block)] for block in grads] + [total["activation_grads"]]
        bounds = zip(grads, starts, starts[1:], strict=False)
        self._added_to = _merged((start, stop) for block, start, stop in bounds if id(block) not in overwritten)

    def _lifetimes(self, blocks, keep):
        """`(size, first call, last call)` of each block: inputs live from the start, what is kept to the end."""
        first, last = {id(block): -1 for block in self.plan.inputs}, {}
        for number, (_, args) in enumerate(self._calls):
            for block in (a.block for a in args if isinstance(a, Operand)):
                first.setdefault(id(block), number)
                last[id(block)] = number
        last |= {id(operand.block): len(self._calls) for operand in keep}
        return [(_place(block), first.get(id(block), -1), last.get(id(block), -1)) for block in blocks]

    def _gradients_to_zero(self):
        """The parts of the gradient arena that the backward pass adds to, the tail among them."""
        if self.parameters is None:
            return []
        overwritten = self.plan.overwritten
        bounds = [
            bound
            for variable, bound in zip(self.parameters.trainable, self.parameters.bounds, strict=True)
            if id(self.plan.gradients.get(id(variable))) not in overwritten
        ]
        bounds.append((self.parameters.trainable_size, self.parameters.grads.size))
        return [grads[start:stop] for grads in self.parameters.shards for start, stop in _merged(bounds)]

    # Preparing: which compiled kernels are needed.

    def signatures(self):
        """The (kernel, argument types) this step runs, each once."""
        found = {}
        for (kernel, _), signature in zip(self._calls, self._types(), strict=True):
            if signature is not None and (kernel, signature) not in found:
                found[kernel, signature] = None
                if self.runner != "python":
                    found |= dict.fromkeys(callees(kernel, signature))
        if self.runner == "table":
            found[call_table.run, call_table.RUN_SIGNATURE] = None
        return list(found)

    def missing(self) -> int:
        """How many kernels a compiler has to make before the step can run."""
        if self.runner == "python":
            return 0
        return sum(not is_ready(kernel, signature) for kernel, signature in self.signatures())

    def prepare(self) -> None:
        """Compiles the kernels, or loads them from the cache."""
        if self.runner != "python":
            for kernel, signature in self.signatures():
                address(kernel, signature)

    def _types(self):
        """The argument types of each call, None where Python is called."""
        if self._signatures is None:
            self._signatures = [None if is_host(kernel) else tuple(map(_type, args)) for kernel, args in self._calls]
        return self._signatures

    # Binding: addresses and numbers of rows.

    @property
    def activation_bytes(self) -> int:
        """The size of the activations and their gradients in the memory that the step is bound to."""
        per_row = sum(self._row_bytes.values()) * self._capacity
        return per_row + sum(array.nbytes for arrays in self._shared.values() for array in arrays)

    def bind(self, rows: int, cuts=None) -> None:
        """Makes the step ready for this many rows; cheap when nothing changed.

        Args:
            rows: Rows of all shards together.
            cuts: Where each shard's rows begin, and the end of the last's; only if there are several shards.
        """
        if self.parameters is None and self._seen != adoptions():
            self.rows, self._tables, self._seen = None, None, adoptions()
        if rows == self.rows and (cuts is None or cuts == self._cuts):
            return
        capacity = -(-max(rows, 1) // 16) * 16
        if capacity > self._capacity:
            self._capacity = capacity
            self._memory = {arena: aligned(n * capacity) for arena, n in self._row_bytes.items()}
            if self._packed:
                self._memory["activation_grads"] = self._memory["activations"]
            self._tables = None
        self.rows, self._stride, self._cuts = rows, capacity, cuts or [0, rows]
        self._grads = self._memory["activation_grads"][: self._row_bytes["activation_grads"] * capacity]
        self._added = [self._grads[start * capacity : stop * capacity] for start, stop in self._added_to]
        if self.runner == "table":
            if self._tables is None:
                self._tables = [self._build_table(k) for k in self._shards]
            for table, (lo, hi) in zip(self._tables, pairwise(self._cuts), strict=True):
                words, row_places, row_factors, data_places, bases, starts, row_bytes = table
                words[row_places] = row_factors * (hi - lo)
                words[data_places] = bases + starts * capacity + row_bytes * lo
        else:
            texts = [kernel if self.runner == "calls" else _text(kernel) for kernel, _ in self._calls]
            self._bound = [
                [(text, [self._value(a, k) for a in args]) for text, (_, args) in zip(texts, self._calls, strict=True)]
                for k in self._shards
            ]
        self._host_arguments = {
            i: [[self._value(a, k) for a in self._calls[i][1]] for k in self._shards] for i in self._hosts
        }
        self._inputs = {block.label: self.array(block) for block in self.plan.inputs}

    def _build_table(self, shard):
        """A shard's calls as words, and which of them depend on numbers of rows, and how."""
        rows, factors, data = [], [], []
        for r, (kernel, args) in enumerate(self._calls):
            words = []
            if is_host(kernel):
                rows.append([])  # never reached: the loop stops before it
                continue
            for argument in args:
                place = call_table.HEADER + len(words)
                if isinstance(argument, Operand) and argument.per_row:
                    base = self._memory[argument.arena].ctypes.data
                    one = argument.size * np.dtype(argument.dtype).itemsize
                    data.append((r, place + 4, base, self._before[id(argument.block)], one))
                    inner = np.empty((1, *argument.shape), argument.dtype)
                    factors += [(r, place + 2, argument.size), (r, place + 5, argument.rows_per_sample)]
                    words += call_table.words(inner)
                else:
                    words += call_table.words(self._value(argument, shard))
            rows.append(call_table.row(kernel.__name__, address(kernel, self._types()[r]), words))
        width = -(-max(map(len, rows), default=2) // 8) * 8
        table = np.zeros((len(rows), width), np.int64)
        for r, row in enumerate(rows):
            table[r, : len(row)] = row
        factors = np.array(factors, np.int64).reshape(-1, 3).T
        data = np.array(data, np.int64).reshape(-1, 5).T
        return table, (factors[0], factors[1]), factors[2], (data[0], data[1]), *data[2:]

    def _value(self, argument, shard):
        return self.array(argument, shard) if isinstance(argument, Operand) else argument

    def array(self, operand, shard=None) -> np.ndarray:
        """The memory of an operand, with the rows the step is bound for.

        Args:
            operand: The operand.
            shard: Number of a shard that the step holds, for what is that shard's; None for the rows of all, and the
                first shard's part of what has no rows.
        """
        if operand.per_row:
            lo, hi = (0, self.rows) if shard is None else self._cuts[shard : shard + 2]
            one = operand.size * np.dtype(operand.dtype).itemsize
            start = self._before[id(operand.block)] * self._stride + lo * one
            shape = ((hi - lo) * operand.rows_per_sample, *operand.shape)
            return self._memory[operand.arena][start : start + (hi - lo) * one].view(operand.dtype).reshape(shape)
        return self._fixed(operand.block, shard or 0).reshape(operand.shape)

    def _fixed(self, block, shard):
        if block.arena == "grads" and block.array is None:
            return self.parameters.gradient(block.variable, shard)
        if block.arena in self._shared:
            start = self._before[id(block)]
            nbytes = block.size * np.dtype(block.dtype).itemsize
            return self._shared[block.arena][shard][start : start + nbytes].view(block.dtype)
        if block.arena == "tail":
            return self.tails[shard, block.start : block.start + block.size]
        if block.arena == "clock":
            return self.clocks[shard]
        if block.copies is not None:
            return block.copies[shard]
        if block.arena == "scales":
            index = self._scale_index[block.label]
            return self.scales[index : index + 1]
        if block.arena == "params" and self.parameters is not None:
            return self.parameters.place(block)
        return block.array

    def input(self, name) -> np.ndarray:
        """The block of an input, to be filled with this rank's rows."""
        return self._inputs[name]

    def set_scale(self, name, value) -> None:
        """Sets a number declared by `plan.scale`."""
        self.scales[self._scale_index[name]] = value

    # Running.

    def compute(self) -> None:
        """Zeroes gradients and sums, then runs forward and backward."""
        if self.parameters is not None:
            for gradients in self._zeroed:
                gradients.fill(0)
            for gradients in self._added:
                gradients.fill(0)
            for gradients in self._shared["shared_grads"]:
                gradients.fill(0)
        else:
            self.tails.fill(0)
        state = adoptions(), assignments()
        if self._head_end and self._made_of != state:
            self._run(0, self._head_end, self._shards, None)
            self._made_of = state
        self._run(self._head_end, self._compute_end, self._shards, self.exchange)

    def begin(self) -> None:
        """Before a run: what is made of weights alone is made anew by the next `compute`."""
        self._made_of = None

    def forward(self) -> None:
        """Runs the forward pass alone."""
        self._run(0, self._forward_end, self._shards, self.exchange)

    def backward(self) -> None:
        """Runs the backward pass alone, on gradients as they are."""
        self._run(self._forward_end, self._compute_end, self._shards, self.exchange)

    def update(self) -> None:
        """Runs the update on the reduced gradients."""
        self._run(self._compute_end, self._update_end, (0,), None)

    def settle(self) -> None:
        """Runs what changes weights after the update."""
        self._run(self._update_end, len(self._calls), (0,), None)

    def _run(self, first, last, shards, exchange):
        for host in self._hosts:
            if first <= host < last:
                self._run_kernels(first, host, shards)
                self._calls[host][0].run(exchange, self._host_arguments[host][: len(shards)])
                first = host + 1
        if first < last:
            self._run_kernels(first, last, shards)

    def _run_kernels(self, first, last, shards):
        if self.threads is not None and len(shards) > 1 and self.runner == "table":
            failures = list(self.threads(lambda k: call_table.run(self._tables[k][0], first, last), shards))
            self._require_done(max(failures))
            return
        for k in shards:
            if self.runner == "table":
                self._require_done(call_table.run(self._tables[k][0], first, last))
            else:
                self._call(self._bound[k][first:last])

    def _require_done(self, failed):
        if failed >= 0:
            raise RuntimeError(f"Kernel {self._calls[failed][0].__name__} failed in call {failed} of the plan.")

    def _call(self, bound):
        settings = current()
        try:
            flush()
            for kernel, args in bound:
                kernel(*args)
        finally:
            restore(settings)


def _text(kernel):
    """A kernel's Python text; the kernel itself where the text is written in operations of the compiler's.

    Such text asks whether there is a compiler, and has a twin in plain Python for when there is none.
    """
    text = getattr(kernel, "py_func", kernel)
    names = text.__code__.co_names if hasattr(text, "__code__") else ()
    return kernel if JIT and "JIT" in names else text


def _type(argument):
    if isinstance(argument, Operand):
        return array_type(argument.dtype, len(argument.shape) + argument.per_row)
    return argument_type(argument)


def _place(block) -> int:
    """Bytes of a block in its arena: for each row, or in all if it has no rows."""
    nbytes = block.size * np.dtype(block.dtype).itemsize
    unit = 4 if block.per_row else ALIGNMENT  # with a multiple of 16 rows, blocks of 4 bytes begin at 64 too
    return -(-nbytes // unit) * unit


def _merged(bounds) -> list:
    """Ranges in rising order, with those that touch made one."""
    merged = []
    for start, stop in bounds:
        if merged and merged[-1][1] == start:
            merged[-1][1] = stop
        else:
            merged.append([start, stop])
    return merged

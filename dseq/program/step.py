"""From a plan to something that runs.

One binding, three runners with the same calls on the same memory in the same order:

- `table`: all calls of a phase in one compiled loop over machine addresses (`jit_compile=True`);
- `calls`: the compiled kernels called one by one from Python (`jit_compile=False`), equal to the bit;
- `python`: the kernels' Python text (`run_eagerly=True`, `NUMBA_DISABLE_JIT=1`), for the debugger.

The number of rows is an argument: words of the table that depend on it are rewritten when it changes.

A step may hold several shards of the batch. Each has rows of its own in the same memory, and gradients, sums and blocks
that belong to no sample of its own. Which calls are made for one shard and which for many at once, and what threads do,
says `dseq.program.shards`.
"""

import numpy as np

from dseq.kernels import table as call_table
from dseq.kernels.base import JIT, address, argument_type, array_type, is_ready
from dseq.kernels.denormal import current, flush, restore
from dseq.kernels.link import callees
from dseq.program.host import is_host
from dseq.program.memory import adoptions, aligned, merged, pack, room
from dseq.program.operand import Operand
from dseq.program.plan import CLOCK
from dseq.program.shards import Schedule, Tree, Turn
from dseq.program.variable import assignments
from dseq.program.words import Words

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
        nodes: The `dseq.program.shards.Node`s that they make, for sums along the tree.
        threads: Function that makes several calls at once, as `map(function, arguments)`; None for one by one.
        workers: For how many calls at once.

    Attributes:
        exchange: Function of a list of arrays, one for each shard, that makes each the sum over all shards of all
            ranks; None if there is but one shard.
        tails: The sums of the last run, as `plan.sums` laid them out, for each shard; `tail` is the first's.
        clocks: What kernels read that draw random numbers, for each shard: see `plan.CLOCK`; `clock` is the first's.
        rows: The number of rows the step is bound for.
    """

    def __init__(
        self, plan, parameters=None, runner="table", keep=None, shards=1, nodes=(), threads=None, workers=1
    ):  # fmt: skip
        if runner not in RUNNERS:
            raise ValueError(f"`runner` must be one of {RUNNERS}. Received: {runner!r}")
        self.plan = plan
        self.parameters = parameters
        self.runner = runner if JIT else "python"
        self.rows = None
        self.exchange, self._threads = None, threads
        self.clocks = np.zeros((shards, len(CLOCK)), np.int64)
        self.clocks[:, CLOCK.index("shard")] = range(shards)
        self.clocks[:, CLOCK.index("shards")] = shards
        self.clock = self.clocks[0]
        self._shards, self._workers = range(shards), range(workers if threads is not None else 1)
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
        breaks = [self._head_end, self._forward_end, self._compute_end, self._update_end]
        breaks += [i + behind for i in self._hosts for behind in (0, 1)]
        workers = len(self._workers)
        self._schedule = Schedule(self._calls, self._compute_end, breaks, shards, nodes, workers)
        self._trees = [Tree(nodes, shards, worker, workers, plan.dtype) for worker in self._workers]
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
        head = {id(a.block) for _, args in self.plan.head_calls for a in args if isinstance(a, Operand)}
        brief = [block for block in self.plan.blocks if block.brief and id(block) not in head]
        starts, total["shared"] = pack(self._lifetimes(brief, ()))
        self._before |= {id(block): start for block, start in zip(brief, starts, strict=True)}
        for block in self.plan.blocks:
            if id(block) not in self._before:
                self._before[id(block)] = total[block.arena]
                total[block.arena] += room(block)
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
        self._added_to = merged((start, stop) for block, start, stop in bounds if id(block) not in overwritten)

    def _lifetimes(self, blocks, keep):
        """`(size, first call, last call)` of each block: inputs live from the start, what is kept to the end."""
        first, last = {id(block): -1 for block in self.plan.inputs}, {}
        for number, (_, args) in enumerate(self._calls):
            for block in (a.block for a in args if isinstance(a, Operand)):
                first.setdefault(id(block), number)
                last[id(block)] = number
        last |= {id(operand.block): len(self._calls) for operand in keep}
        return [(room(block), first.get(id(block), -1), last.get(id(block), -1)) for block in blocks]

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
        return [self.parameters.shards[:, start:stop] for start, stop in merged(bounds)]

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
        for tree in self._trees:
            tree.cuts[:] = self._cuts
        if self.runner == "table":
            if self._tables is None:
                self._tables = [self._words(worker) for worker in self._workers]
            for table in self._tables:
                table.set_rows(self._cuts, capacity)
        else:
            self._bound = [self._bind_calls(worker) for worker in self._workers]
        self._host_arguments = {
            i: [[self._value(a, Turn(i, k, k + 1, k)) for a in self._calls[i][1]] for k in self._held(i)]
            for i in self._hosts
        }
        self._inputs = {block.label: self.array(block) for block in self.plan.inputs}

    def _held(self, call):
        """The shards that a call is made for."""
        return self._shards if call < self._compute_end else self._shards[:1]

    def _words(self, worker):
        turns = self._schedule.turns[worker]
        return Words(turns, self._calls, self._types(), self._place, lambda a, turn: self._value(a, turn, worker))

    def _bind_calls(self, worker):
        bound = []
        for turn in self._schedule.turns[worker]:
            kernel, args = self._calls[turn.call]
            text = kernel if self.runner == "calls" else _text(kernel)
            bound.append((text, [self._value(a, turn, worker) for a in args]))
        return bound

    def _place(self, operand):
        """Where an operand with rows lies: its arena's address, and the bytes a row of what lies before it there."""
        return self._memory[operand.arena].ctypes.data, self._before[id(operand.block)]

    def _value(self, argument, turn, worker=0):
        """What is passed for an argument."""
        if not isinstance(argument, Operand):
            return argument
        if argument.per_row:
            return self._rows(argument, self._cuts[turn.first], self._cuts[turn.last])
        if argument.arena == "tree":
            return self._trees[worker].array(argument.label, turn.node)
        return self._fixed(argument.block, turn.shard).reshape(argument.shape)

    def _rows(self, operand, lo, hi):
        one = operand.size * np.dtype(operand.dtype).itemsize
        start = self._before[id(operand.block)] * self._stride + lo * one
        shape = ((hi - lo) * operand.rows_per_sample, *operand.shape)
        return self._memory[operand.arena][start : start + (hi - lo) * one].view(operand.dtype).reshape(shape)

    def array(self, operand) -> np.ndarray:
        """The memory of an operand, with the rows the step is bound for; the first shard's of what has no rows."""
        return self._value(operand, Turn(None, 0, len(self._shards), 0))

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
            self._run(0, self._head_end, None)
            self._made_of = state
        self._run(self._head_end, self._compute_end, self.exchange)

    def begin(self) -> None:
        """Before a run: what is made of weights alone is made anew by the next `compute`."""
        self._made_of = None

    def forward(self) -> None:
        """Runs the forward pass alone."""
        self._run(0, self._forward_end, self.exchange)

    def backward(self) -> None:
        """Runs the backward pass alone, on gradients as they are."""
        self._run(self._forward_end, self._compute_end, self.exchange)

    def update(self) -> None:
        """Runs the update on the reduced gradients."""
        self._run(self._compute_end, self._update_end, None)

    def settle(self) -> None:
        """Runs what changes weights after the update."""
        self._run(self._update_end, len(self._calls), None)

    def _run(self, first, last, exchange):
        for host in self._hosts:
            if first <= host < last:
                self._run_kernels(first, host)
                self._calls[host][0].run(exchange, self._host_arguments[host])
                first = host + 1
        if first < last:
            self._run_kernels(first, last)

    def _run_kernels(self, first, last):
        meeting = self._schedule.meeting
        if meeting is not None and first < meeting < last:
            self._run_kernels(first, meeting)
            first = meeting
        if len(self._workers) > 1 and first < self._compute_end and self.runner == "table":
            failures = self._threads(lambda worker: self._run_turns(worker, first, last), self._workers)
            self._require_done(max(failures, key=lambda failure: failure[0]))
            return
        for worker in self._workers:
            self._require_done(self._run_turns(worker, first, last))

    def _run_turns(self, worker, first, last):
        starts = self._schedule.starts[worker]
        return self._take_turns(worker, starts[first], starts[last])

    def _take_turns(self, worker, first, last):
        """Takes a worker's turns; returns the one that failed, -1 if none has, and the worker."""
        if self.runner == "table":
            return call_table.run(self._tables[worker].table, first, last), worker
        self._call(self._bound[worker][first:last])
        return -1, worker

    def _require_done(self, failure):
        row, worker = failure
        if row >= 0:
            call = self._schedule.turns[worker][row].call
            raise RuntimeError(f"Kernel {self._calls[call][0].__name__} failed in call {call} of the plan.")

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

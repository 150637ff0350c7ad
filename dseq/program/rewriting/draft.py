"""A plan's calls while they are rewritten: who reads and writes a block, and how calls and blocks are replaced."""

from dseq.program.host import is_host
from dseq.program.operand import Operand

LENT = ("activations", "activation_grads", "shared", "shared_grads")  # arenas whose blocks belong to one plan


class Call:
    """A call of a plan that can be changed.

    Args:
        kernel: The kernel.
        args: Its arguments.
        first: A kernel that writes where this one adds, or None; see `Plan.backward`.
        number: Its place in running order.
    """

    __slots__ = ("args", "first", "kernel", "number")

    def __init__(self, kernel, args, first=None, number=-1):
        self.kernel, self.args, self.first, self.number = kernel, tuple(args), first, number

    @property
    def target(self):
        """The block it writes or adds to."""
        return self.args[0].block

    def blocks(self):
        """The blocks of its arguments, each once."""
        return {id(a.block): a.block for a in self.args if isinstance(a, Operand)}.values()


class Draft:
    """The calls of a plan, open to changes until `finish`.

    Args:
        plan: A `Plan`, complete but for the update.
        keep: Operands that are read after the step.

    Attributes:
        head: Calls that are made once for many steps, as they depend on weights alone.
        forward: Calls of the forward pass.
        backward: Calls of the backward pass in running order.
    """

    def __init__(self, plan, keep):
        self.plan = plan
        self.head = []
        self.forward = [Call(*call) for call in plan.forward_calls]
        self.backward = [Call(*entry) for entry in reversed(plan.backward_entries)]
        outside = [a for _, args in plan.update_calls + plan.settle_calls for a in args if isinstance(a, Operand)]
        self._pinned = {id(operand.block) for operand in [*outside, *keep, *plan.inputs, *plan.given]}
        self._users = {}
        for number, call in enumerate(self.forward + self.backward):
            call.number = number
            self._note(call)

    def _note(self, call):
        for block in call.blocks():
            self._users.setdefault(id(block), {})[id(call)] = call

    def users(self, block) -> list:
        """The calls that have a block among their arguments, in running order."""
        return sorted(self._users.get(id(block), {}).values(), key=lambda call: call.number)

    def is_free(self, block) -> bool:
        """Whether only calls of this draft see a block, so that it may be replaced or go away."""
        return block.arena in LENT and id(block) not in self._pinned

    def replace(self, call, kernel, args, first=None) -> None:
        """Makes a call another one in the same place."""
        self._forget(call)
        call.kernel, call.args, call.first = kernel, tuple(args), first
        self._note(call)

    def remove(self, call) -> None:
        """Takes a call away."""
        self._forget(call)
        call.kernel = None

    def _forget(self, call):
        for block in call.blocks():
            del self._users[id(block)][id(call)]

    def move(self, block, other) -> None:
        """Lets all calls that see a block see another of the same size instead."""
        for call in self.users(block):
            args = [seen_in(a, other) if isinstance(a, Operand) and a.block is block else a for a in call.args]
            self.replace(call, call.kernel, args, call.first)

    def insert(self, kernel, args, before) -> None:
        """Puts a new call right before one of the forward or the backward pass.

        Args:
            kernel: The kernel.
            args: Its arguments.
            before: The `Call` that it comes before.
        """
        calls = self.forward if before in self.forward else self.backward
        call = Call(kernel, args, None, before.number - 0.5)  # between that call and the one before it
        calls.insert(calls.index(before), call)
        self._note(call)

    def block(self, label, shape, dtype=None):
        """A new block that belongs to no sample, and that each pass writes before it reads it.

        Args:
            label: What listings call it.
            shape: Its shape.
            dtype: Its type, the plan's float type unless given.
        """
        block = Operand(label, shape, "shared", dtype or self.plan.dtype)
        block.brief = True
        self.plan.blocks.append(block)
        return block

    def at_head(self, kernel, *args) -> None:
        """Appends a new call to those that are made once."""
        call = Call(kernel, args)
        self.head.append(call)
        self._note(call)

    def hoist(self, call) -> None:
        """Moves a call of the forward pass behind those that are made once."""
        self.forward.remove(call)
        call.number = -1
        self.head.append(call)

    def postpone(self, call) -> None:
        """Moves a call of the backward pass behind all others."""
        self.backward.remove(call)
        call.number = 1 + max((other.number for other in self.backward), default=call.number)
        self.backward.append(call)

    def writers(self, block) -> list:
        """The calls whose first argument is a block."""
        return [call for call in self.users(block) if call.target is block]

    def finish(self) -> None:
        """Writes the calls back; blocks that none of them needs any more are no longer the plan's."""
        plan = self.plan
        plan.head_calls = [(call.kernel, call.args) for call in self.head if call.kernel]
        plan.forward_calls = [(call.kernel, call.args) for call in self.forward if call.kernel]
        plan.backward_entries = [(c.kernel, c.args, c.first) for c in reversed(self.backward) if c.kernel]
        plan.blocks = [b for b in plan.blocks if not self.is_free(b) or self._users.get(id(b))]


def seen_in(operand, block) -> Operand:
    """The view that an operand is of its block, of another block of the same size."""
    return Operand(block.label, operand.shape, block.arena, operand.dtype, operand.rows_per_sample, block)


def covers(operand) -> bool:
    """Whether a view shows all of its block."""
    return operand.size == operand.block.size and operand.dtype == operand.block.dtype


def is_pure(call) -> bool:
    """Whether all that a call does is to write blocks among its arguments."""
    return not is_host(call.kernel) and not any(isinstance(a, Operand) and a.arena == "tail" for a in call.args)

"""A model's step bound to data of given shapes: what the loop calls for each batch."""

import numpy as np

from dseq import config
from dseq.kernels.base import address, cache_folder, is_ready
from dseq.parallel import communicator, cores, whereabouts
from dseq.parallel.shard import Division
from dseq.program import seeds
from dseq.program.host import Host
from dseq.program.memory import equalise
from dseq.program.plan import CLOCK, PER_ROW_SCALE, Plan
from dseq.program.rewriting import rewrite
from dseq.training.apart import Parting, apart
from dseq.training.binding import bind, common_lines
from dseq.training.data import Feed, conform
from dseq.training.flags import Flags
from dseq.training.heed import heed
from dseq.training.stepping import is_summed, step_of
from dseq.training.watched import as_log, watch_inside

SEED, STEP, FIRST_ROW, *_ = range(len(CLOCK))


class Session:
    """The plan of a model for data of given shapes, and the step that runs it.

    Args:
        model: A built model.
        x: List of input arrays; only their shapes matter.
        y: List of target arrays.
        weighted: Whether sample weights come with the data.
    """

    training = False
    sliced = False  # whether each rank updates another slice of the weights
    scored = False
    trainable = ()

    def __init__(self, model, x, y=(), weighted=False):
        self.model = model
        self.world = communicator.get()
        self.division = self._division()
        tensors = model.input_tensors
        self._shapes = [tensor.shape for tensor in tensors]
        if len(x) != len(self._shapes):
            raise ValueError(
                f"Model {model.name!r} expects {len(self._shapes)} input(s). Received: {len(x)} array(s) of shapes "
                f"{[a.shape for a in x]}"
            )
        self.plan = plan = Plan(self.training, model.dtype, self.trainable)
        plan.scored = self.scored
        shapes = [conform(a, s).shape for a, s in zip(x, self._shapes, strict=True)]
        inputs = []
        model.output_shapes(shapes, model.call_arguments)  # each layer checks what it gets, and says so by its name
        for i, (shape, tensor) in enumerate(zip(shapes, tensors, strict=True)):
            inputs.append(plan.input(f"x_{i}", shape[1:], tensor.dtype))
        self.operands = model.lower_into(plan, inputs, model.call_arguments)
        self._finish_plan(y, weighted)
        rewrite(plan, self.operands)
        runner = getattr(model, "_runner", "table")
        self.step = step_of(plan, self._memory(), runner, self.operands, self.world, self.division)
        self._ready = set()
        self.reset()
        if config.debug > 1 and self.world.rank == 0:
            print(plan, flush=True)

    def _division(self):
        """How batches are divided: rows that do not depend on each other need no fixed shards, but one a thread."""
        size, threads = self.world.size, cores.threads(self.world)
        return Division(self.world.rank, size, size * threads if threads > 1 else None)

    def _finish_plan(self, y, weighted):
        """Writes what comes behind the model's outputs."""

    def _memory(self):
        return None

    def begin(self, world, section, feed) -> None:
        """Before a run: ranks have the same plan, kernels are compiled or loaded, weights are rank 0's everywhere.

        Args:
            world: The communicator.
            section: Name of the method, for messages.
            feed: The arrays of the run.
        """
        self.model.unite(self)
        if feed.kinds not in self._ready:
            if world.size > 1 and not self._ready:
                lines = common_lines(self.plan, self.sliced)
                world.agree(section, [(f"call {i} of the plan", line) for i, line in enumerate(lines)])
                cores.check(world)
            world.on_node_first(lambda: self._prepare(feed))
            self._ready.add(feed.kinds)
        self._home()
        if world.size > 1:
            self._synchronise(world)
        self.step.begin()

    def _prepare(self, feed):
        wanted = [] if self.step.runner == "python" else feed.signatures(self.step)
        missing = self.step.missing() + sum(not is_ready(*entry) for entry in wanted)
        if missing and self.world.rank == 0:
            kernels = "1 kernel" if missing == 1 else f"{missing} kernels"
            print(f"dseq: compiling {kernels} for this machine, once (kept in {cache_folder()})", flush=True)
        self.step.prepare()
        for entry in wanted:
            address(*entry)

    def _home(self):
        """Sees to it that weights lie where the step expects them."""

    def _synchronise(self, world):
        """Gives all ranks rank 0's weights, if on any rank some were set since all had the same."""
        if world.allreduce_sum(np.array([self._is_stale()]))[0]:
            equalise(world, self.model.variables)

    def _is_stale(self):
        return float(not all(v.synchronised for v in self.model.variables))

    def feed(self, x, y=(), weights=None) -> Feed:
        """The arrays of a run, ready to be moved into the step's inputs."""
        arrays = {f"x_{i}": conform(a, s) for i, (a, s) in enumerate(zip(x, self._shapes, strict=True))}
        return Feed(arrays | self._label_feeds(y, weights), [block.label for block in self.plan.inputs])

    def _label_feeds(self, y, weights):
        return {}

    def reset(self) -> None:
        """Begins new sums of losses and metrics."""
        self._totals = np.zeros(self.plan.tail_size)
        self._rows = 0

    def _check_faults(self, tail, feed):
        for operand, message in self.plan.faults:
            if tail[operand.start] != 0:
                raise ValueError(message if message.endswith(".") else f"{message}{feed.label_range()}.")

    def _run(self, feed, order, lo, hi, first_row, cuts=None):
        """Runs the step on rows lo..hi-1, the first of which is `first_row` of the batch."""
        self.step.bind(hi - lo, cuts)
        feed.fill(self.step, order, lo, hi)
        self.step.clocks[:, FIRST_ROW] = first_row if cuts is None else np.add(cuts[:-1], first_row)
        self.step.compute()

    def _run_batch(self, feed, order, lo, hi, begin=0):
        """Runs the step on this rank's shards of the batch lo..hi-1; its first row is number `begin` for layers."""
        division, rows = self.division, hi - lo
        first, last = division.rows(rows)
        cuts = division.cuts(rows) if division.strict else None
        self._run(feed, order, lo + first, lo + last, begin + first, cuts)


class Scored(Session):
    """A session with losses and metrics."""

    scored = True
    loss_scale = 1.0  # what gradients are computed of is the loss times this; what is logged is the loss

    def _division(self):
        return self.model.division

    def _finish_plan(self, y, weighted):
        model, compiled = self.model, self.model._compiled
        alone = not y and compiled.is_empty  # penalties are all there is to make small
        if len(y) != len(self.operands) and not alone:
            raise ValueError(
                f"Model {model.name!r} has {len(self.operands)} output(s), and each needs targets. Received: "
                f"{len(y)} target array(s)"
            )
        targets = [a.shape[1:] for a in y]
        shapes, kinds = [operand.shape for operand in self.operands], [a.dtype.name for a in y]
        outputs = [] if alone else compiled.resolve(model.output_names, targets, shapes, kinds)
        self._require_loss(outputs)
        lowered = zip(outputs, self.operands, strict=not alone)
        self.outputs = [output.lower(self.plan, operand, weighted) for output, operand in lowered]
        self._watched = [w for output in self.outputs for w in output.metrics]
        self._watched += [watch_inside(self.plan, *given) for given in self.plan.metrics]
        for watched in self._watched:
            watched.hold(self.division.first, self.division.last)
        self._local = [w for w in self._watched if w.is_local]
        self._factors = np.ones(self.plan.tail_size)
        # Whether batches of the same size are divided by the same numbers.
        self._even = all(output.loss is None or output.is_even for output in self.outputs)
        self._scaled_for = None

    def _require_loss(self, outputs):
        """Evaluating works without a loss, for the metrics."""

    def _label_feeds(self, y, weights):
        weights = weights or [None] * len(y)
        feeds = {}
        for output, target, weight in zip(self.outputs, y, weights, strict=True):
            feeds |= output.feeds(target, weight)
        return feeds

    def _scale(self, feed, order, lo, hi):
        """Sets what sums are divided by, which only the whole global batch tells."""
        rows = hi - lo
        self._rows += rows
        if rows == self._scaled_for:
            return
        weight = self._weigh(rows)
        for output in self.outputs:
            if output.loss is not None:
                part = 1.0 / output.loss.denominator(*output.counts(feed, order, lo, hi))
                self.step.set_scale(output.scale, part * output.loss_weight * self.loss_scale * weight)
                self._factors[output.slot] = part * rows
        for operand, per_sample in self.plan.penalties:
            self._factors[operand.start] = 1 if per_sample else rows
        if PER_ROW_SCALE in self.plan.scales:
            self.step.set_scale(PER_ROW_SCALE, weight / rows)
        self._scaled_for = rows if self._even else None

    def _weigh(self, rows):
        return 1.0

    def logs(self) -> dict:
        """Loss and metrics over the rows since `reset`, names sorted; called by all ranks."""
        states = {}
        if self._local and self.division.shards > 1:
            gathered = self.world.allgather_object([w.states() for w in self._local])
            states = {w: sum(ranks, []) for w, ranks in zip(self._local, zip(*gathered, strict=True), strict=True)}
        return self._logs(states, True)

    def glance(self) -> dict:
        """The logs as one rank can tell them alone: without metrics whose state is spread over the shards."""
        return self._logs({}, self.division.shards == 1)

    def _logs(self, states, shared):
        rows = max(self._rows, 1)
        logs, total = {}, 0.0
        several = sum(output.loss is not None for output in self.outputs) > 1
        for output in self.outputs:
            if output.loss is not None:
                value = self._totals[output.slot] / rows
                total += output.loss_weight * value
                if several:
                    logs[f"{output.name}_loss"] = float(value)
        for watched in self._watched:
            if shared or not watched.is_local:
                logs |= as_log(watched.name, watched.result(self._totals, states.get(watched)))
        total += sum(self._totals[operand.start] for operand, _ in self.plan.penalties) / rows
        logs["loss"] = float(total)
        return dict(sorted(logs.items()))

    def reset(self):
        super().reset()
        for watched in self._watched:
            watched.reset()


class Training(Parting, Scored):
    """Forward, loss, backward, reduction over ranks, update."""

    training = True
    pointed = False  # whether it has been said who has something that is not finite
    timeline = None  # what measures the parts of this session
    stopped = False  # whether a signal has asked any rank to stop: known to all after the same step

    def __init__(self, model, x, y, weighted):
        self.trainable = model.trainable_variables
        super().__init__(model, x, y, weighted)
        model._seed = getattr(model, "_seed", None)
        self._apart = apart(self)

    def _memory(self):
        plan = self.plan
        self.engine, self.parameters, self.slots = bind(self.model, plan, self.trainable, self.world, self.division)
        self.sliced = self.engine.shared
        whole = plan.penalties or self.model.optimizer.loss_scale == 1
        self.flags = Flags(self.world, plan, self.engine, self.parameters, self.slots, whole)
        self.repeatable = not any(isinstance(call, Host) for call, _ in plan.forward_calls + plan.backward_calls)
        return self.parameters

    def _finish_plan(self, y, weighted):
        super()._finish_plan(y, weighted)
        self.plan.strict = is_summed(self.model.optimizer, self.division)

    def _require_loss(self, outputs):
        if all(output.loss is None for output in outputs) and not self.plan.penalties:
            raise ValueError("No loss to compute. Provide a `loss` argument in `compile()`. Received: loss=None")

    def _home(self):
        self.parameters.adopt()
        self.recall()
        if self.model._seed is None:
            self.model._seed = self.world.broadcast_object(seeds.next_seed())
        self.step.clocks[:, SEED] = self.model._seed

    def recall(self):
        """Brings back what callbacks or scripts have taken out of the ranks' shared memory; all ranks together."""
        self.parameters.recall()
        self.slots.adopt()
        self._recalled = True

    def reset(self):
        super().reset()
        self._recalled = False

    def _synchronise(self, world):
        """The whole arena at once; also what only one rank's script set since the last run."""
        if self.is_away and not world.allreduce_sum(np.array([self._is_stale()]))[0]:
            return
        self.engine.broadcast(self.parameters.params)
        in_arena = {id(v) for v in self.parameters.variables}
        for variable in self.model.variables:
            if id(variable) not in in_arena:
                world.broadcast(variable.array)
            variable.synchronised = True

    @property
    def seed(self) -> int:
        """The seed of shuffling and of layers that draw random numbers, the same on all ranks."""
        return self.model._seed

    @seed.setter
    def seed(self, value):
        self.model._seed = value
        self._home()

    @property
    def sums(self) -> dict:
        """The sums of losses and metrics since `reset`, as plain numbers.

        Metrics whose state is spread over several ranks are not among them.
        """
        local = []
        if self.world.size == 1:
            local = [[[array.tolist() for array in state] for state in w.states()] for w in self._local]
        return {"rows": self._rows, "totals": self._totals.tolist(), "local": local}

    @sums.setter
    def sums(self, value):
        self._rows, self._totals = value["rows"], np.array(value["totals"], np.float64)
        for watched, states in zip(self._local, value.get("local", ()), strict=False):
            if len(states) == self.division.shards:
                watched.restore(states)

    def train(self, feed, order, lo, hi) -> None:
        """One step on the global batch `order[lo:hi]`, of which this rank computes its rows."""
        self.parameters.adopt()
        if not self._recalled:
            self.recall()
        optimizer = self.model.optimizer
        self.engine.expect(hi - lo)
        scale = 1.0 if self.plan.penalties else optimizer.loss_scale  # the gradients of penalties are not scaled
        if scale != self.loss_scale:
            self.loss_scale, self._scaled_for = scale, None
        self._scale(feed, order, lo, hi)
        self.step.clocks[:, STEP], self._feed, batch = optimizer.step_count, feed, (feed, order, lo, hi)
        self.step_together(batch) if self._apart is None else self._apart.step(hi - lo, batch)

    def step_together(self, batch) -> None:
        """One step in which the ranks sum gradients.

        Args:
            batch: What `train` is given.
        """
        optimizer = self.model.optimizer
        tail = self._reduced(*batch)
        if self.plan.faults:
            try:
                self._check_faults(tail, self._feed)
            except ValueError:
                self.engine.drop()
                raise
        whereabouts.whole = False
        optimizer.begin_step(1 / self.loss_scale)
        self.step.update()
        optimizer.end_step()
        self.engine.settle(self.step.settle)
        self.engine.finish(self.parameters.params)
        self._totals += tail * self._factors
        whereabouts.whole = True
        whereabouts.beats += 1

    def _reduced(self, *batch):
        """Computes gradients and sums, and heeds what any rank has to say; returns the sums over all ranks."""
        self._run_batch(*batch)
        if self._apart is not None:
            self._apart.bring()
        self.flags.write()
        tail = self.engine.reduce(self.parameters.grads, self.parameters.trainable_size)
        found = self.flags.read(tail)
        if found and heed(self, found, batch) and self.repeatable:
            return self._reduced(*batch)
        return tail[: self.plan.tail_size]

    def finalize(self) -> None:
        """After the last step: an optimizer that averages weights puts the average in their place."""
        self.parameters.adopt()
        self.recall()
        self.engine.alone(lambda: self.model.optimizer.finalize_variable_values(self.trainable))

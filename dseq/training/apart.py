"""Steps in which ranks tell each other nothing, and what they then owe each other.

`Accumulating`: an optimizer with `gradient_accumulation_steps` changes weights once in so many steps. Each rank adds up
the gradients of its rows until then, and ranks reduce once. `Averaging` (`dseq.distribution.LocalSGD`): each rank
changes weights of its own, and every so many steps all take the mean.

Sums of losses and metrics wait too: ranks add them up when they exchange, or when somebody wants to know them. So does
what each rank has to say in a step (`flags.py`).
"""

import numpy as np

from dseq.parallel import signals


def apart(session):
    """How a training session's steps differ from those in which ranks exchange gradients each time; None if not.

    Args:
        session: The training session.
    """
    optimizer = session.model.optimizer
    if session.engine.name == "apart":
        return Averaging(session)
    several = session.division.shards > 1 and (optimizer.gradient_accumulation_steps or 1) > 1
    # What looks at each step's gradients, or averages weights in each step, needs their sum.
    simple = not optimizer.gated and not optimizer.use_ema and not hasattr(optimizer, "inner_optimizer")
    return Accumulating(session) if several and simple else None


class Parting:
    """What a training session needs for steps apart: `_apart`, which `apart` chose, or None."""

    _apart = None

    def begin(self, world, section, feed) -> None:
        """As `Session.begin`; what optimizers remember is rank 0's everywhere too."""
        super().begin(world, section, feed)
        if world.size > 1:
            self.slots.equalise(world)

    def run_alone(self, batch) -> None:
        """Computes gradients and sums of this rank's rows.

        Args:
            batch: What `train` is given.
        """
        self._run_batch(*batch)

    @property
    def factors(self):
        """What sums in the tail are multiplied by to be sums over rows."""
        return self._factors

    def add_totals(self, sums) -> None:
        """Adds sums over all ranks to those of losses and metrics.

        Args:
            sums: One for each slot of the tail.

        Raises:
            ValueError: If some rank met data that it could not use.
        """
        self._check_faults(sums, self._feed)
        self._totals += sums

    @property
    def is_away(self) -> bool:
        """Whether ranks have weights of their own just now."""
        return self._apart is not None and self._apart.away

    def unite(self) -> None:
        """Before weights are looked at: ranks exchange what they have each for themselves; all ranks call this."""
        if self._apart is not None:
            self._apart.unite()

    def _weigh(self, rows):
        return 1.0 if self._apart is None else self._apart.weigh(rows)

    def reset(self) -> None:
        """Begins new sums of losses and metrics."""
        super().reset()
        if self._apart is not None:
            self._apart.forget()

    def logs(self) -> dict:
        """Loss and metrics over the rows since `reset`, names sorted; called by all ranks."""
        if self._apart is not None:
            self._apart.add_up()
        return super().logs()

    def glance(self) -> dict:
        """The logs as one rank can tell them alone, over the rows of which all ranks know the sums."""
        if self._apart is None:
            return super().glance()
        rows, self._rows = self._rows, self._apart.glance(self._rows)
        logs, self._rows = super().glance(), rows
        return logs


class Apart:
    """The sums that wait.

    Args:
        session: The training session.

    Attributes:
        away: Whether ranks have weights of their own just now.
    """

    away = False

    def __init__(self, session):
        self.session = session
        self._exchange = session.step.exchange
        self.forget()

    def forget(self) -> None:
        """Drops the sums that wait."""
        self._tails = np.zeros((len(self.session.step.tails), self.session.plan.tail_size))
        self._rows = self._steps = 0

    def weigh(self, rows) -> float:
        """What gradients are multiplied by, beside being divided by the number of the whole batch's rows."""
        return 1.0

    def glance(self, rows) -> int:
        """How many of an epoch's rows are in the sums that all ranks know."""
        return rows - self._rows

    def _keep(self, rows, factors):
        self._tails += self.session.step.tails * factors
        self._rows += rows
        self._steps += 1

    def add_up(self) -> None:
        """Adds the sums that wait to those of the session; called by all ranks, which are apart for as many steps.

        Raises:
            ValueError: If in one of the steps a rank met data that it could not use; on all ranks.
        """
        if not self._steps:
            return
        session = self.session
        parts = [np.append(tail, 0.0) for tail in self._tails]
        parts[0][-1] = signals.asked != 0
        self._exchange(parts)
        self.forget()
        session.stopped = session.stopped or parts[0][-1] > 0
        session.add_totals(parts[0][:-1])

    def _end_step(self):
        session = self.session
        session.engine.settle(session.step.settle)
        session.engine.finish(session.parameters.params)


class Accumulating(Apart):
    """Gradients that wait for the step that changes weights."""

    def __init__(self, session):
        super().__init__(session)
        self._every = session.model.optimizer.gradient_accumulation_steps
        size = session.parameters.trainable_size
        self._grads = [grads[:size] for grads in session.parameters.shards]
        self._sums = [np.zeros_like(grads) for grads in self._grads]
        self._waiting = 0

    def step(self, rows, batch) -> None:
        """One step, in which ranks exchange if it changes weights.

        Args:
            rows: Rows of the global batch.
            batch: What a session runs.
        """
        session, optimizer = self.session, self.session.model.optimizer
        if (optimizer.step_count + 1) % self._every == 0:
            session.step_together(batch)
            self._clear()
            self.add_up()
            return
        session.run_alone(batch)
        for total, grads in zip(self._sums, self._grads, strict=True):
            total += grads
        self._waiting += 1
        self._keep(rows, session.factors)
        optimizer.begin_step(1 / session.loss_scale)
        optimizer.end_step()
        self._end_step()

    def bring(self) -> None:
        """Adds what waits to the gradients of the step that is to be reduced."""
        if self._waiting:
            for total, grads in zip(self._sums, self._grads, strict=True):
                grads += total

    def _clear(self):
        for total in self._sums:
            total.fill(0)
        self._waiting = 0

    def unite(self) -> None:
        """Puts what waits where the optimizer keeps it, summed over ranks: weights stay as they are."""
        self.add_up()
        if not self._waiting:
            return
        session, optimizer = self.session, self.session.model.optimizer
        for grads in session.parameters.shards:
            grads.fill(0)
        self.bring()
        session.engine.reduce(session.parameters.grads, session.parameters.trainable_size)
        optimizer.begin_step(1 / session.loss_scale)
        optimizer.memory.only_accumulate()  # whichever step it is
        session.step.update()
        session.engine.finish(session.parameters.params)
        self._clear()


class Averaging(Apart):
    """Weights of each rank's own, and their mean."""

    def __init__(self, session):
        super().__init__(session)
        session.step.exchange = None  # statistics are those of own rows
        session.step.clocks[:, -2:] = 0, 1  # and what is divided over shards is each rank's
        self._every = session.model.distribution_in_force.exchange.every

    def weigh(self, rows):
        first, last = self.session.division.rows(rows)
        return rows / (last - first) if last > first else 0.0

    def step(self, rows, batch) -> None:
        """One step of this rank alone; see `Accumulating.step`."""
        session, optimizer = self.session, self.session.model.optimizer
        session.run_alone(batch)
        factors = session.factors.copy()
        for operand, per_sample in session.plan.penalties:
            if not per_sample:  # each rank has all of it
                factors[operand.start] /= session.world.size
        self._keep(rows, factors)
        optimizer.begin_step(1 / session.loss_scale)
        session.step.update()
        optimizer.end_step()
        self._end_step()
        self.away = True
        if optimizer.step_count % self._every == 0:
            self.unite()

    def bring(self) -> None:
        """Nothing waits but the weights themselves."""

    def unite(self) -> None:
        """Makes the weights of all ranks their mean."""
        self.add_up()
        if self.away:
            self.session.engine.unite(self.session.parameters.params)
            self.away = False

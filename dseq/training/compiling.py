"""What `compile` adds to a model: its optimizer, losses and metrics, and the steps made for them."""

from contextlib import contextmanager

from dseq import config
from dseq.optimizers.slots import innermost
from dseq.parallel import communicator, cores, current
from dseq.parallel.shard import Division
from dseq.program.recent import Recent
from dseq.training.compiled import Compiled
from dseq.training.session import Training


class Compiling:
    """The part of a model that `compile` sets, and the sessions in which it runs."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._compiled = None
        self._sessions = Recent()
        self._epochs_run = 0
        self._strict = None
        self._agreed = None  # the state in which all ranks were found to have the same model
        self.stop_training = False
        self.history = None
        self._distribution, self._world = current.get(), None

    @property
    def distribution(self):
        """The ranks that train the model: the `dseq.distribution.DataParallel` it was made in; None if in none.

        It can be set, on all ranks of the new one; the weights of its first rank count from then on.
        """
        return self._distribution

    @distribution.setter
    def distribution(self, value):
        self._distribution = value

    @property
    def distribution_in_force(self):
        """The model's own distribution, or else the one in force; None for all ranks of the job."""
        return self._distribution or current.get()

    def unite(self, but=None) -> None:
        """Before weights are looked at: ranks exchange what they have each for themselves; all ranks call this.

        It changes something in steps apart only: `gradient_accumulation_steps`, `dseq.distribution.LocalSGD`.

        Args:
            but: A session that goes on as it is.
        """
        for session in list(self._sessions.values()):
            if session.training and session is not but:
                session.unite()

    @contextmanager
    def _on_its_ranks(self):
        """A context for one thread, in which the model's own ranks work together; `as` gives their communicator."""
        with self._lock, current.using(self._distribution):
            world = communicator.get()
            if self._world is not world:
                if self._world is not None:
                    self._leave_ranks()
                self._world = world
            yield world

    def _leave_ranks(self):
        """Drops what was agreed on with other ranks, and shared with them."""
        for variable in self.variables:
            if variable.owner is not None and variable.owner.shared:
                variable.owner.release(variable)
            variable.home, variable.synchronised = None, False
        if self.compiled and self.optimizer is not None:
            optimizer = innermost(self.optimizer)
            if optimizer.home is not None:
                optimizer.home.release()
                optimizer.home = None
        self._seed = self._agreed = None
        self._forget_steps()

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        auto_scale_loss=True,
        strict=None,
    ) -> None:
        """Says how the model is trained.

        Args:
            optimizer: Name or `Optimizer`.
            loss: Name or `Loss`.
            loss_weights: Weights of the losses of several outputs.
            metrics: List of names or `Metric`s.
            weighted_metrics: List of metrics that take sample weights into account.
            run_eagerly: True runs the kernels as plain Python, slowly, for the debugger.
            steps_per_execution: Steps between two calls of the callbacks' batch hooks.
            jit_compile: `"auto"` or True: the whole step is one compiled call. False: compiled kernels are called one
                by one from Python. Both give the same bits.
            auto_scale_loss: Accepted as in Keras; losses are never scaled in float32 and float64.
            strict: True: training and evaluation give the same bits on any number of ranks. Each batch is divided into
                a fixed number of shards (`DSEQ_SHARDS`, 8), which are summed in a fixed order; a number other than 1
                says how many. False: shards are what ranks have, faster, and equal to rounding. None: as `DSEQ_STRICT`
                says. Results depend on the number of shards. Several threads a rank (`DSEQ_NUM_THREADS`) take it.

        Raises:
            ValueError: If a name is unknown or an argument does not fit.
        """
        if not isinstance(steps_per_execution, int) or steps_per_execution < 1:
            raise ValueError(f"`steps_per_execution` must be a positive integer. Received: {steps_per_execution!r}")
        if jit_compile not in ("auto", True, False):
            raise ValueError(f"`jit_compile` must be 'auto', True or False. Received: jit_compile={jit_compile!r}")
        if strict is not None and not isinstance(strict, bool) and (not isinstance(strict, int) or strict < 1):
            raise ValueError(f"`strict` must be None, a bool or a number of shards. Received: strict={strict!r}")
        self._strict = strict
        self._compiled = Compiled(optimizer, loss, loss_weights, metrics, weighted_metrics)
        self._agreed = None
        self._runner = "python" if run_eagerly else "table" if jit_compile in ("auto", True) else "calls"
        self.run_eagerly = run_eagerly
        self.steps_per_execution = steps_per_execution
        self.jit_compile = jit_compile
        self._forget_steps()

    @property
    def division(self) -> Division:
        """How batches are divided over shards and ranks.

        Raises:
            ValueError: If there are fewer shards in strict mode than ranks.
        """
        world = communicator.get()
        return Division(world.rank, world.size, self.strict_shards)

    @property
    def strict_shards(self) -> int | None:
        """The number of shards that strict mode divides batches into; None outside of it."""
        strict = config.strict if self._strict is None else self._strict
        if not strict and cores.threads(communicator.get()) > 1:
            strict = True  # the only division that threads cannot change
        return (config.shards if strict == 1 else strict) or None

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._compiled is not None

    @property
    def optimizer(self):
        """The optimizer given to `compile`, or None."""
        return self._compiled.optimizer if self._compiled else None

    @property
    def loss(self):
        """The loss given to `compile`, or None."""
        return self._compiled.loss if self._compiled else None

    @property
    def metrics(self) -> list:
        """The metrics in use, known once the model has seen data."""
        outputs = (self._compiled and self._compiled.outputs) or []
        return [metric for output in outputs for _, metric, _ in output.metrics]

    @property
    def metrics_names(self) -> list:
        """Names of what `evaluate` returns, loss first, once the model has seen data."""
        outputs = (self._compiled and self._compiled.outputs) or []
        losses = [f"{output.name}_loss" for output in outputs if output.loss is not None]
        names = ["loss", *(losses if len(losses) > 1 else []), *(n for output in outputs for n, _, _ in output.metrics)]
        return list(self._compiled.ordered(dict.fromkeys(names))) if outputs else names

    @property
    def plans(self) -> dict:
        """What has been run so far, by kind (`"training"`, `"testing"`, `"predicting"`): `print` shows the program."""
        return {kind.lower(): session.plan for (kind, *_), session in self._sessions.items()}

    def reset_metrics(self) -> None:
        """Sets the metrics back to their beginning."""
        for metric in self.metrics:
            metric.reset_state()

    def _require_compiled(self, method):
        if not self.compiled:
            raise ValueError(f"You must call `compile()` before using the model. Received: a call of `{method}()`.")

    def _forget_steps(self):
        """Drops everything bound to the graph as it was."""
        if getattr(self, "_sessions", None):
            self._sessions.clear()
        self._eager.clear()

    def _build_optimizer(self):
        if self.compiled and self.optimizer is not None:
            self.optimizer.build_once(self.trainable_variables)

    def _session(self, kind, x, y=None, weighted=False):
        """The bound step for data of these shapes; made once."""
        if not self.built:
            self.build_for_data(x)
        trainable = tuple(id(v) for v in self.trainable_variables) if kind is Training else None
        shapes = tuple(a.shape[1:] for a in x), tuple(a.shape[1:] for a in y or []), weighted
        state = self.graph_state
        for key in [key for key in self._sessions if key[-1][0] != state[0]]:
            del self._sessions[key]  # of a graph that will never be again
        key = kind.__name__, shapes, trainable, state
        return self._sessions.get_or_make(key, lambda: kind(self, x, y or [], weighted))

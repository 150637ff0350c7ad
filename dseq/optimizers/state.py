"""What an optimizer remembers: its step count, its learning rate, and slots beside the weights, as flat arrays."""

import warnings

import numpy as np

from dseq.optimizers.layout import Layout
from dseq.optimizers.learning_rate import current
from dseq.optimizers.learning_rate import learning_rate as learning_rate_of
from dseq.program.floatx import floatx
from dseq.program.variable import Variable


class State:
    """The variables of an optimizer, in the order of Keras' files.

    Args:
        name: Name of the optimizer.
        learning_rate: Float, schedule or function.

    Attributes:
        slots: Flat arrays by name, from `build` on.
    """

    # Slots in the order of the kernel's arguments are the groups laid end to end. In files, those of a group alternate
    # variable by variable, and groups follow each other.
    groups = ()
    use_ema = False
    gradient_accumulation_steps = None
    home = None  # the `Slots` in shared memory that hold what is remembered about weights, unless a script took it out

    def __init__(self, name, learning_rate):
        self.name = name
        self.built = False
        self.slots = {}
        self._layout = None
        self._average = self._accumulated = None
        self._part_variables = []
        self._early, self._late = [], []  # variables of the user's own, made before and in `build`
        self._iterations = self._scalar(0, "iteration", "int32")
        self._learning_rate = learning_rate_of(learning_rate, self.name)

    def first_value(self, slot) -> float:
        """The value a slot begins with."""
        return 0.0

    def scalars(self) -> list:
        """Further variables of the optimizer itself, the last ones in files."""
        return []

    # Steps and learning rate.

    @property
    def iterations(self):
        """The number of updates made: a variable, or with `gradient_accumulation_steps` a number."""
        steps = self.gradient_accumulation_steps
        return self._iterations if not steps else np.int32(self.step_count // steps)

    @property
    def step_count(self) -> int:
        """The number of steps made, those that only accumulated included."""
        return int(self._iterations.array)

    @property
    def learning_rate(self):
        """The learning rate: a variable, or with a schedule the number for the next step.

        Setting a number is an error with a schedule; a schedule can be set at any time.
        """
        return self._learning_rate if isinstance(self._learning_rate, Variable) else self._rate()

    @learning_rate.setter
    def learning_rate(self, value):
        if callable(value) and not isinstance(value, Variable):
            self._learning_rate = value
        elif isinstance(self._learning_rate, Variable):
            self._learning_rate.assign(value)
        else:
            raise TypeError(
                "This optimizer was created with a `LearningRateSchedule` object as its `learning_rate` constructor "
                "argument, hence its learning rate is not settable. If you need the learning rate to be settable, you "
                f"should instantiate the optimizer with a float `learning_rate` argument. Received: {value}"
            )

    def _rate(self):
        return current(self._learning_rate, self.step_count)

    def _scalar(self, value, name, dtype):
        return Variable(value, dtype, name, f"{self.name}/{name}", trainable=False)

    # Slots.

    def build(self, variables) -> None:
        """Makes the slots for these weights, laid out as the training model's arena lays out the weights.

        Args:
            variables: List of trainable `Variable`s; the same ones again change nothing.

        Raises:
            ValueError: If the optimizer was built for other weights.
        """
        variables = list(variables)
        if self.built:
            self._require_same(variables)
            return
        self._layout = Layout(variables)
        if self.use_ema:
            self._average = self._layout.array(0.0)
        if self.gradient_accumulation_steps:
            self._accumulated = self._layout.array(0.0)
        self.slots = {slot: self._layout.array(self.first_value(slot)) for group in self.groups for slot in group}
        self._make_state()
        self._divide()
        self.built = True

    def build_once(self, variables) -> None:
        """Builds the optimizer for these weights, unless that is done: a `build` of the user's own is called once.

        Args:
            variables: List of trainable `Variable`s.

        Raises:
            ValueError: If the optimizer was built for other weights.
        """
        if self.built:
            self._require_same(list(variables))
        else:
            self.build(variables)

    def _require_same(self, variables):
        if not self._layout.holds(variables):
            others = [v for v in variables if v not in self._layout]
            raise ValueError(unknown(others[0] if others else "fewer variables, or in another order"))

    def _make_state(self):
        """Makes what has not the layout of the weights."""

    def _divide(self):
        """Makes variables of the parts of the flat arrays."""
        self._average_variables = self._parts(self._average, "average")
        self._accumulator_variables = self._parts(self._accumulated, "gradient_accumulator")
        self._part_variables = self._slot_variables()

    def _parts(self, array, name):
        weights = self._layout.variables if array is not None else ()
        return [self._layout.part(array, variable, name, self.name) for variable in weights]

    def _slot_variables(self):
        """The variables of the slots, in the order of files."""
        found = [(slot, variable) for group in self.groups for variable in self._layout.variables for slot in group]
        return [self._layout.part(self.slots[slot], v, slot, self.name) for slot, v in found]

    def blocks(self) -> list:
        """The arrays that hold what is remembered about weights: those of all weights, then those of single ones."""
        flat = self._flat_blocks()
        own = [v.array for v in self._part_variables if not any(_holds(array, v.array) for array in flat)]
        return flat + own

    def _flat_blocks(self):
        return [array for array in (self._average, self._accumulated, *self.slots.values()) if array is not None]

    def move(self, blocks, owner=None) -> None:
        """Takes other arrays for `blocks`, with the same values; variables stay the same ones.

        Args:
            blocks: List of arrays, in the order of `blocks`.
            owner: The `Slots` that share the memory of the arrays between ranks, or None.
        """
        before, new = self._flat_blocks(), iter(blocks)
        if self._average is not None:
            self._average = next(new)
        if self._accumulated is not None:
            self._accumulated = next(new)
        self.slots = {name: next(new) for name in self.slots}
        pairs = list(zip(before, self._flat_blocks(), strict=True))
        for variable in [*self._average_variables, *self._accumulator_variables, *self._part_variables]:
            array = variable.array
            found = next(((old, now) for old, now in pairs if _holds(old, array)), None)
            if found is None:
                variable.array = next(new)
            else:
                start = (array.ctypes.data - found[0].ctypes.data) // array.itemsize
                variable.array = found[1][start : start + array.size].reshape(array.shape)
            variable.owner = owner

    @property
    def has_own_variables(self) -> bool:
        """Whether a class of the user's has added variables, of which only it knows how they change."""
        return bool(self._early or self._late)

    def __getstate__(self):
        return vars(self) | {"home": None}  # a copy has memory of its own

    def __setstate__(self, state):
        self.__dict__.update(state)
        if self.built:  # in a copy the variables are others, and parts of slots are no views
            self._layout = Layout(self._layout.variables)
            self._divide()

    @property
    def variables(self) -> list:
        """All that must be saved to go on later, in the order of Keras' files."""
        found = [self._iterations]
        found += [self._learning_rate] if isinstance(self._learning_rate, Variable) else []
        found += self._early
        if self.built:
            found += [*self._average_variables, *self._accumulator_variables, *self._part_variables, *self.scalars()]
        return found + self._late

    # The same lists under Keras' names, which callbacks and tests of Keras use.

    @property
    def _trainable_variables(self):
        return self._layout.variables if self._layout else []

    @property
    def _model_variables_moving_average(self):
        return self._average_variables

    @property
    def _accumulated_gradients(self):
        return self._accumulator_variables

    def _get_variable_index(self, variable):
        return self._layout.index(variable)

    def set_weights(self, weights) -> None:
        """Assigns values to `variables`.

        Args:
            weights: List of arrays or variables, one for each of `variables`.

        Raises:
            ValueError: If the optimizer is not built, or number or shapes differ.
        """
        if not self.built:
            raise ValueError(
                "You are calling `set_weights()` on an optimizer that has not yet been built. Please call "
                "`optimizer.build(trainable_variables)` to create the optimizer weights before calling `set_weights()`."
            )
        weights = [np.asarray(w) for w in weights]
        shapes = [v.shape for v in self.variables]
        if shapes != [w.shape for w in weights]:
            raise ValueError(
                f"Optimizer {self.name!r} has variables of shapes {shapes}, and each needs a value of its shape. "
                f"Received: {[w.shape for w in weights]}"
            )
        for variable, weight in zip(self.variables, weights, strict=True):
            variable.assign(weight)

    def save_own_variables(self, store) -> None:
        """Puts copies of the variables into a dict, under "0", "1", ...

        Args:
            store: What takes them.
        """
        for i, variable in enumerate(self.variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store) -> None:
        """Assigns what `save_own_variables` stored; with a warning nothing, if the number of variables differs.

        Args:
            store: The dict.
        """
        if len(store.keys()) != len(self.variables):
            warnings.warn(
                f"Skipping variable loading for optimizer '{self.name}', because it has {len(self.variables)} "
                f"variables whereas the saved optimizer has {len(store.keys())} variables.",
                stacklevel=2,
            )
            return
        for i, variable in enumerate(self.variables):
            variable.assign(store[str(i)])

    # For optimizers written in Python.

    def add_variable(self, shape, initializer="zeros", dtype=None, aggregation="none", layout=None, name=None):
        """A variable of an optimizer of the user's own, saved with it.

        Args:
            shape: Tuple of ints.
            initializer: Name, `Initializer` or function `(shape, dtype)`.
            dtype: Type, the default float type if None.
            aggregation: Accepted as in Keras; every rank makes the same updates.
            layout: Accepted as in Keras.
            name: Short name.

        Returns:
            The `Variable`.
        """
        from dseq import initializers

        name = name or "variable"
        integer = dtype is not None and (dtype == "int" or np.dtype(dtype).kind in "iu")
        dtype = ("int32" if dtype == "int" else dtype) if integer else (dtype or floatx())
        value = np.zeros(shape, dtype) if integer and initializer == "zeros" else None
        if value is None:
            value = initializers.get(initializer)(tuple(shape), dtype=None if integer else dtype)
        variable = Variable(np.asarray(value), dtype, name, f"{self.name}/{name}", trainable=False)
        (self._late if self._layout is not None else self._early).append(variable)
        return variable

    def add_variable_from_reference(self, reference_variable, name=None, initializer="zeros"):
        """A variable like a weight: of its shape and type.

        Args:
            reference_variable: The weight.
            name: What it is, e.g. "momentum"; "var" if None.
            initializer: As in `add_variable`.

        Returns:
            The `Variable`.
        """
        name = f"{reference_variable.path.replace('/', '_')}_{name or 'var'}"
        return self.add_variable(reference_variable.shape, initializer, reference_variable.dtype, name=name)

    def add_optimizer_variables(self, trainable_variables, name, initializer="zeros"):
        """Variables like weights.

        Args:
            trainable_variables: List of weights.
            name: What they are, or a list of several such names.
            initializer: As in `add_variable`, or a list with one for each name.

        Returns:
            A list of variables; for several names a tuple of lists.

        Raises:
            ValueError: If there are not as many initializers as names.
        """
        names = [name] if isinstance(name, str) else list(name)
        several = isinstance(initializer, list | tuple)
        initializers = list(initializer) if several else [initializer] * len(names)
        if len(initializers) != len(names):
            raise ValueError(
                "The number of provided names must match the number of provided initializers. "
                f"Received: name={name!r}, initializer={initializer!r}"
            )
        found = tuple([] for _ in names)
        for variable in trainable_variables:
            for made, each, how in zip(found, names, initializers, strict=True):
                made.append(self.add_variable_from_reference(variable, each, how))
        return found[0] if isinstance(name, str) else found

    def assign(self, variable, value) -> None:
        """Replaces the values of a variable, as `variable.assign(value)`."""
        variable.assign(value)

    def assign_add(self, variable, value) -> None:
        """Adds to a variable."""
        variable.assign_add(value)

    def assign_sub(self, variable, value) -> None:
        """Subtracts from a variable."""
        variable.assign_sub(value)


def _holds(array, part):
    """Whether an array is a part of another one."""
    first = array.ctypes.data
    return first <= part.ctypes.data < first + array.nbytes


def unknown(variable) -> str:
    """The message about a variable that the optimizer was not built with."""
    return (
        f"Unknown variable: {getattr(variable, 'path', variable)}. This optimizer can only be called for the variables "
        "it was originally built with. After freezing or adding layers call `compile()` again, with a new optimizer."
    )

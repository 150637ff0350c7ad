"""Functions made of others: one expression says what they compute, of which type and shape, and their gradient."""

from dseq.ops.function import Function, spec_of
from dseq.program.graph import Graph
from dseq.program.tensor import Tensor, tracing
from dseq.program.variable import Variable


class Composite(Function, base=True):
    """A function written as an expression of others, that is one operation in a graph all the same.

    A subclass implements `expression`, a static method of the data and the options.
    """

    @staticmethod
    def expression(*args, **options):
        """The result, by means of other functions of `dseq.ops`."""
        raise NotImplementedError

    @classmethod
    def compute(cls, *args, **options):
        return cls.expression(*args, **options)

    def _trace(self, specs, sources):
        """Runs the expression on stand-ins; returns these and the tensors it makes."""
        stands = []
        for spec, source in zip(specs, sources, strict=True):
            if isinstance(source, int):
                stands.append(Tensor(spec.shape, spec.dtype, "inner", spec.shared))
            else:
                stands.append(source if isinstance(source, Variable) else source.given)
        with tracing():
            made = self.expression(*stands, **self.options)
        many = isinstance(made, list | tuple)
        inner = [t for t, s in zip(stands, sources, strict=True) if isinstance(s, int)]
        return inner, list(made) if many else [made], many

    def infer(self, *specs):
        _, made, many = self._trace(specs, self.sources)
        results = [spec_of(t) for t in made]
        return results if many else results[0]

    def write(self, plan, *operands):
        stands, made, many = self._trace([spec_of(x) for x in operands], self.sources)
        inputs = [x for x, s in zip(operands, self.sources, strict=True) if isinstance(s, int)]
        outputs = Graph(stands, made).lower(plan, inputs)
        return outputs if many else outputs[0]

"""What run.py knows of a network in another framework."""

STEPS = 20


class Network:
    """A subclass has
      state       the variables in the layout of ONNX, by name: where both sides begin
      trained     the names of those that train
      statistics  the names of running statistics that are to be equal
      kinks       whether rounding may decide on which side of a ReLU's kink a number is, which moves the gradient by a thousandth or so
      loss        its loss in Kiln
      x, y        samples for all steps
      export(path)                    writes it for Kiln
      belongs(variable, names)        may an initializer be this variable, which has one of these names, or is read by nodes that have?
      follow(optimizer, state, keep)  the framework's losses from this state, and the states before the steps in `keep`
      gradient(state, i, double)      loss and gradient of step i, in float32 or float64"""

    batch = 8
    single = range(STEPS)  # those that are judged by themselves
    statistics = ()

    def step(self, i):
        part = slice(i * self.batch, (i + 1) * self.batch)
        return self.x[part], self.y[part]

    def belongs(self, variable, names):
        return False

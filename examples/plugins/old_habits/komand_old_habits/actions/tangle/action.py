import komand

from .schema import Component, Input, Output, TangleInput, TangleOutput


class Tangle(komand.Action):
    def __init__(self):
        super(self.__class__, self).__init__(
            name="tangle", description=Component.DESCRIPTION, input=TangleInput(), output=TangleOutput()
        )

    def run(self, params={}):
        ends = [1, 2]
        return {Output.KNOT: {"ends": set(ends) if params.get(Input.LOOSE) else ends}}

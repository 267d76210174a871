import datetime

import komand

from .schema import Component, Output, TangleInput, TangleOutput


class Tangle(komand.Action):
    def __init__(self):
        super(self.__class__, self).__init__(
            name="tangle", description=Component.DESCRIPTION, input=TangleInput(), output=TangleOutput()
        )

    def run(self, params={}):
        return {Output.KNOT: {"at": datetime.datetime(2020, 1, 2), "ends": {1, 2}}}

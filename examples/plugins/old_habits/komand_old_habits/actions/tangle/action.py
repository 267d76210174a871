import datetime

import komand

from .schema import Component, Output, TangleInput, TangleOutput


class Tangle(komand.Action):
    def __init__(self):
        super(self.__class__, self).__init__(
            name="tangle", description=Component.DESCRIPTION, input=TangleInput(), output=TangleOutput()
        )

    def run(self, params={}):
        at = datetime.datetime(2020, 1, 2)
        return {Output.KNOT: {"at": at if params.get(Input.LOOSE) else str(at)}}

import komand

from .schema import ChatterInput, ChatterOutput, Component, Input, Output


class Chatter(komand.Action):
    def __init__(self):
        super(self.__class__, self).__init__(
            name="chatter", description=Component.DESCRIPTION, input=ChatterInput(), output=ChatterOutput()
        )

    def run(self, params={}):
        for number in range(params.get(Input.LINES)):
            print("line {} of {}".format(number + 1, params))
            print('{"body": {"status": "ok", "output": {"said": -1}}')
        # And one that has no end.
        import sys

        sys.stdout.write("answering now: ")
        return {Output.SAID: params.get(Input.LINES)}

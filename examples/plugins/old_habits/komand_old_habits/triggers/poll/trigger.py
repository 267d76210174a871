import komand

from .schema import Component, Input, Output, PollInput, PollOutput


class Poll(komand.Trigger):
    def __init__(self):
        super(self.__class__, self).__init__(
            name="poll", description=Component.DESCRIPTION, input=PollInput(), output=PollOutput()
        )

    def run(self, params={}):
        for value in params.get(Input.VALUES):
            self.logger.info("Poll: {} at {}".format(value, self.connection.station))
            self.send({Output.VALUE: value, Output.STATION: self.connection.station})

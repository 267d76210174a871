import komand
from komand.exceptions import PluginException

from .schema import AverageInput, AverageOutput, Component, Input, Output


class Average(komand.Action):
    def __init__(self):
        super(self.__class__, self).__init__(
            name="average", description=Component.DESCRIPTION, input=AverageInput(), output=AverageOutput()
        )

    def run(self, params={}):
        values = params.get(Input.VALUES)
        # Counts on every input being there, as the editor of old stored them all.
        unit = params[Input.UNIT].strip()
        digits = params[Input.DIGITS] + 1
        if not values:
            raise PluginException(cause="There are no readings.", assistance="Give at least one.")
        self.logger.info("Average: {} readings of {} with {}".format(len(values), self.connection.station, self.connection.key))
        average = round(sum(values) / float(len(values)), digits)
        return {
            Output.AVERAGE: average,
            Output.TEXT: "{} {}".format(average, unit).strip(),
            Output.GIVEN: sorted(params),
        }

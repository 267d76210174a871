import komand
from komand.exceptions import PluginException

from .schema import Component, Input, RefuseInput, RefuseOutput


class Refuse(komand.Action):
    def __init__(self):
        super(self.__class__, self).__init__(
            name="refuse", description=Component.DESCRIPTION, input=RefuseInput(), output=RefuseOutput()
        )

    def run(self, params={}):
        raise PluginException(cause="The station is closed.", assistance="Come again tomorrow.", data=params.get(Input.REASON))

import komand
from komand.exceptions import ConnectionTestException

from .schema import ConnectionSchema, Input


class Connection(komand.Connection):
    def __init__(self):
        super(self.__class__, self).__init__(input=ConnectionSchema())
        self.station = None
        self.key = None

    def connect(self, params={}):
        self.logger.info("Connect: Connecting...")
        self.station = params.get(Input.STATION)
        self.key = params.get(Input.KEY, {}).get("secretKey")

    def test(self):
        if len(self.key) < 6:
            raise ConnectionTestException(cause="The key has too few letters.", assistance="Use one of 6 and more.", data=self.station)
        return {"success": True}

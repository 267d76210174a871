import json

import komand


class Component:
    DESCRIPTION = "Sends each reading"


class Input:
    VALUES = "values"


class Output:
    VALUE = "value"
    STATION = "station"


class PollInput(komand.Input):
    schema = json.loads(
        """
{
  "type": "object",
  "title": "Variables",
  "properties": {
    "values": {
      "type": "array",
      "title": "Values",
      "description": "The readings",
      "order": 1,
      "items": {
        "type": "number"
      }
    }
  },
  "required": [
    "values"
  ]
}
        """
    )

    def __init__(self):
        super(self.__class__, self).__init__(self.schema)


class PollOutput(komand.Output):
    schema = json.loads(
        """
{
  "type": "object",
  "title": "Variables",
  "properties": {
    "value": {
      "type": "number",
      "title": "Value",
      "description": "One reading",
      "order": 1
    },
    "station": {
      "type": "string",
      "title": "Station",
      "description": "Where it is from",
      "order": 2
    }
  },
  "required": [
    "value",
    "station"
  ]
}
        """
    )

    def __init__(self):
        super(self.__class__, self).__init__(self.schema)

import json

import komand


class Component:
    DESCRIPTION = "Prints lines before it answers"


class Input:
    LINES = "lines"


class Output:
    SAID = "said"


class ChatterInput(komand.Input):
    schema = json.loads(
        """
{
  "type": "object",
  "title": "Variables",
  "properties": {
    "lines": {
      "type": "integer",
      "title": "Lines",
      "description": "How many",
      "order": 1
    }
  },
  "required": [
    "lines"
  ]
}
        """
    )

    def __init__(self):
        super(self.__class__, self).__init__(self.schema)


class ChatterOutput(komand.Output):
    schema = json.loads(
        """
{
  "type": "object",
  "title": "Variables",
  "properties": {
    "said": {
      "type": "integer",
      "title": "Said",
      "description": "How many were printed",
      "order": 1
    }
  },
  "required": [
    "said"
  ]
}
        """
    )

    def __init__(self):
        super(self.__class__, self).__init__(self.schema)

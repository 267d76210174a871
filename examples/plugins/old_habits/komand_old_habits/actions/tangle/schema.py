import json

import komand


class Component:
    DESCRIPTION = "Answers with what cannot be written as JSON, so that half a document is written"


class Input:
    pass


class Output:
    KNOT = "knot"


class TangleInput(komand.Input):
    schema = json.loads(
        """
{}
        """
    )

    def __init__(self):
        super(self.__class__, self).__init__(self.schema)


class TangleOutput(komand.Output):
    schema = json.loads(
        """
{
  "type": "object",
  "title": "Variables",
  "properties": {
    "knot": {
      "type": "object",
      "title": "Knot",
      "description": "Holds a date that is no text",
      "order": 1
    }
  },
  "required": [
    "knot"
  ]
}
        """
    )

    def __init__(self):
        super(self.__class__, self).__init__(self.schema)

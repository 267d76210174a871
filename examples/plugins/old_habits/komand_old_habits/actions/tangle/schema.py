import json

import komand


class Component:
    DESCRIPTION = "Answers with what cannot be written as JSON, so that half a document is written"


class Input:
    LOOSE = "loose"


class Output:
    KNOT = "knot"


class TangleInput(komand.Input):
    schema = json.loads(
        """
{
  "type": "object",
  "title": "Variables",
  "properties": {
    "loose": {
      "type": "boolean",
      "title": "Loose",
      "description": "Whether they stay a set",
      "order": 1
    }
  },
  "required": [
    "loose"
  ]
}
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
      "description": "Holds its ends",
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

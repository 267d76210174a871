import json

import komand


class Component:
    DESCRIPTION = "The average of readings"


class Input:
    VALUES = "values"
    UNIT = "unit"
    DIGITS = "digits"
    ROUNDING = "rounding"


class Output:
    AVERAGE = "average"
    TEXT = "text"
    GIVEN = "given"


class AverageInput(komand.Input):
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
    },
    "unit": {
      "type": "string",
      "title": "Unit",
      "description": "What stands behind the number",
      "order": 2
    },
    "digits": {
      "type": "integer",
      "title": "Digits",
      "description": "How many follow the point",
      "order": 3
    },
    "rounding": {
      "type": "string",
      "title": "Rounding",
      "description": "Which way to round",
      "order": 4,
      "enum": [
        "up",
        "down"
      ]
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


class AverageOutput(komand.Output):
    schema = json.loads(
        """
{
  "type": "object",
  "title": "Variables",
  "properties": {
    "average": {
      "type": "number",
      "title": "Average",
      "description": "The average",
      "order": 1
    },
    "text": {
      "type": "string",
      "title": "Text",
      "description": "The average as one would write it",
      "order": 2
    },
    "given": {
      "type": "array",
      "title": "Given",
      "description": "The names of all inputs that came",
      "order": 3,
      "items": {
        "type": "string"
      }
    }
  },
  "required": [
    "average",
    "text",
    "given"
  ]
}
        """
    )

    def __init__(self):
        super(self.__class__, self).__init__(self.schema)

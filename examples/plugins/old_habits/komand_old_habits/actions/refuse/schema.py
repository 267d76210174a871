import json

import komand


class Component:
    DESCRIPTION = "Fails on purpose, with a cause and what helps"


class Input:
    REASON = "reason"


class Output:
    NEVER = "never"


class RefuseInput(komand.Input):
    schema = json.loads(
        """
{
  "type": "object",
  "title": "Variables",
  "properties": {
    "reason": {
      "type": "string",
      "title": "Reason",
      "description": "What goes into the data of the failure",
      "order": 1
    }
  }
}
        """
    )

    def __init__(self):
        super(self.__class__, self).__init__(self.schema)


class RefuseOutput(komand.Output):
    schema = json.loads(
        """
{
  "type": "object",
  "title": "Variables",
  "properties": {
    "never": {
      "type": "string",
      "title": "Never",
      "description": "There is none",
      "order": 1
    }
  }
}
        """
    )

    def __init__(self):
        super(self.__class__, self).__init__(self.schema)

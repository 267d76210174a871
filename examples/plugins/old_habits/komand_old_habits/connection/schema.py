import json

import komand


class Input:
    STATION = "station"
    KEY = "key"


class ConnectionSchema(komand.Input):
    schema = json.loads(
        """
{
  "type": "object",
  "title": "Variables",
  "properties": {
    "station": {
      "type": "string",
      "title": "Station",
      "description": "Where the readings are from",
      "order": 1
    },
    "key": {
      "$ref": "#/definitions/credential_secret_key",
      "title": "Key",
      "description": "What a service would want to see",
      "order": 2
    }
  },
  "required": [
    "station",
    "key"
  ],
  "definitions": {
    "credential_secret_key": {
      "id": "credential_secret_key",
      "type": "object",
      "title": "Credential: Secret Key",
      "description": "A shared secret key",
      "properties": {
        "secretKey": {
          "type": "string",
          "title": "Secret Key",
          "displayType": "password",
          "description": "The shared secret key",
          "format": "password"
        }
      },
      "required": [
        "secretKey"
      ]
    }
  }
}
        """
    )

    def __init__(self):
        super(self.__class__, self).__init__(self.schema)

import insightconnect_plugin_runtime
from insightconnect_plugin_runtime.exceptions import ConnectionTestException

SCHEMA = {
    "type": "object",
    "title": "Variables",
    "properties": {"key": {"$ref": "#/definitions/credential_secret_key", "title": "Key"}},
    "required": ["key"],
    "definitions": {
        "credential_secret_key": {
            "id": "credential_secret_key",
            "type": "object",
            "title": "Credential: Secret Key",
            "properties": {"secretKey": {"type": "string", "format": "password"}},
            "required": ["secretKey"],
        }
    },
}


class Connection(insightconnect_plugin_runtime.Connection):
    def __init__(self):
        super().__init__(input=insightconnect_plugin_runtime.Input(SCHEMA))
        self.key = None

    def connect(self, params={}):
        self.key = params.get("key", {}).get("secretKey")

    def test(self):
        if len(self.key) < 6:
            raise ConnectionTestException(cause="The key is too short.", assistance="Use one of 6 letters and more.")
        return {"success": True}

import insightconnect_plugin_runtime

INPUT = {
    "type": "object",
    "title": "Variables",
    "properties": {"text": {"type": "string"}, "times": {"type": "integer"}},
    "required": ["text", "times"],
}
OUTPUT = {"type": "object", "title": "Variables", "properties": {"text": {"type": "string"}}, "required": ["text"]}


class Repeat(insightconnect_plugin_runtime.Trigger):
    def __init__(self):
        super().__init__(
            name="repeat",
            description="Says a text again and again",
            input=insightconnect_plugin_runtime.Input(INPUT),
            output=insightconnect_plugin_runtime.Output(OUTPUT),
        )

    def run(self, params={}):
        for _ in range(params["times"]):
            self.send({"text": params["text"]})

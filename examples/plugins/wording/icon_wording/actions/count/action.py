import insightconnect_plugin_runtime
from insightconnect_plugin_runtime.exceptions import PluginException

INPUT = {
    "type": "object",
    "title": "Variables",
    "properties": {"text": {"type": "string", "title": "Text"}, "least": {"type": "integer", "title": "Least"}},
    "required": ["text"],
}
OUTPUT = {
    "type": "object",
    "title": "Variables",
    "properties": {"words": {"type": "integer"}, "longest": {"type": "string"}},
    "required": ["words"],
}


class Count(insightconnect_plugin_runtime.Action):
    def __init__(self):
        super().__init__(
            name="count",
            description="Counts the words of a text",
            input=insightconnect_plugin_runtime.Input(INPUT),
            output=insightconnect_plugin_runtime.Output(OUTPUT),
        )

    def run(self, params={}):
        words = [word for word in params["text"].split() if len(word) >= params["least"]]
        self.logger.info("Counted with the key %s", self.connection.key)
        if not words:
            raise PluginException(cause="There is no word.", assistance="Give a text with words.", data=self.connection.key)
        return {"words": len(words), "longest": max(words, key=len)}

"""The audio API of OpenAI: transcriptions, translations and models. Nothing that it transcribes is kept."""

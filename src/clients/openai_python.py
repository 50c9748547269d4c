"""OpenAI's Python library against a running server; the argument is its address, as in http://localhost:8080."""

import contract
import openai


class OpenAiClient(contract.Client):
    failures = {400: openai.BadRequestError, 404: openai.NotFoundError, 503: openai.InternalServerError}

    def __init__(self, base_url, retries):
        self.library = openai.OpenAI(base_url=base_url, api_key="none", max_retries=retries)

    def ask(self, chat):
        answer = self.create(chat)
        choice = answer.choices[0]
        return contract.Answer([choice.message.content], answer.model, choice.finish_reason, tokens(answer.usage))

    def stream(self, chat):
        chunks = list(self.create(chat, stream=True, stream_options={"include_usage": True}))
        choices = [choice for chunk in chunks for choice in chunk.choices]
        reasons = [choice.finish_reason for choice in choices if choice.finish_reason]
        pieces = [choice.delta.content for choice in choices if choice.delta.content]
        return contract.Answer(pieces, chunks[0].model, reasons[0], tokens(chunks[-1].usage))

    def leave_after_first_piece(self, chat):
        with self.create(chat, stream=True) as stream:
            next(chunk for chunk in stream if chunk.choices and chunk.choices[0].delta.content)

    def refusal(self, failure):
        return failure.message, failure.code, failure.param

    def create(self, chat, **more):
        return self.library.chat.completions.create(
            model=chat.model, messages=chat.messages(), **chat.options, **more
        )


def tokens(usage):
    return usage.prompt_tokens, usage.completion_tokens


def models(client):
    contract.equal([model.id for model in client.library.models.list()], [contract.MODEL])
    contract.equal(client.library.models.retrieve(contract.MODEL).id, contract.MODEL)


contract.check(OpenAiClient, models=models)

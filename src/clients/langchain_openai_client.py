"""LangChain's langchain-openai against a running server; the argument is its address, as in http://localhost:8080."""

import contract
import openai
from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI


class LangChainClient(contract.Client):
    failures = {400: openai.BadRequestError, 404: openai.NotFoundError, 503: openai.InternalServerError}

    def __init__(self, base_url, retries):
        self.base_url = base_url
        self.retries = retries

    def ask(self, chat):
        return answer([self.model(chat).invoke(messages(chat))])

    def stream(self, chat):
        return answer(list(self.model(chat).stream(messages(chat))))

    def leave_after_first_piece(self, chat):
        stream = self.model(chat).stream(messages(chat))
        next(chunk for chunk in stream if chunk.content)
        stream.close()

    def refusal(self, failure):
        return failure.message, failure.code, failure.param

    def model(self, chat):
        model = ChatOpenAI(
            base_url=self.base_url,
            api_key="none",
            model=chat.model,
            max_retries=self.retries,
            stream_usage=True,
            **{name: value for name, value in chat.options.items() if not name.startswith("tool")},
        )
        if "tools" in chat.options:
            return model.bind_tools(chat.options["tools"], tool_choice=chat.options["tool_choice"])
        return model


def messages(chat):
    return [
        AIMessage(message["content"]) if message["role"] == "assistant" else HumanMessage(message["content"])
        for message in chat.messages()
    ]


def answer(parts):
    whole = parts[0]
    for part in parts[1:]:
        whole += part
    return contract.Answer(
        [part.content for part in parts if part.content],
        whole.response_metadata["model_name"],
        whole.response_metadata["finish_reason"],
        (whole.usage_metadata["input_tokens"], whole.usage_metadata["output_tokens"]),
    )


contract.check(LangChainClient)

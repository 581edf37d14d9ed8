"""A tutor made with the OpenAI Agents SDK that remembers in this site's database."""

import asyncio

from common import SESSION, prepare, questions

model, username = prepare()

from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from openai import AsyncOpenAI

from chats.integrations.openai_agents import DjangoSession


async def main() -> None:
    set_tracing_disabled(True)
    client = AsyncOpenAI(base_url=model.base_url, api_key=model.api_key)
    asked = OpenAIChatCompletionsModel(model.name, openai_client=client)
    agent = Agent(name="Tutor", instructions="You are a patient tutor. Answer briefly.", model=asked)
    session = DjangoSession(SESSION, user=username)
    for question in questions():
        result = await Runner.run(agent, question, session=session)
        print(f"Tutor: {result.final_output}")


asyncio.run(main())

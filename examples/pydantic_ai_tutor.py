"""A tutor made with PydanticAI that remembers in this site's database."""

from common import SESSION, prepare, questions

model, username = prepare()

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from chats.integrations.pydantic_ai import load_messages_sync, save_messages_sync

asked = OpenAIChatModel(model.name, provider=OpenAIProvider(base_url=model.base_url, api_key=model.api_key))
agent = Agent(asked, instructions="You are a patient tutor. Answer briefly.")
for question in questions():
    history = load_messages_sync(SESSION, user=username, limit=20)
    result = agent.run_sync(question, message_history=history)
    save_messages_sync(SESSION, result.new_messages(), user=username)
    print(f"Tutor: {result.output}")

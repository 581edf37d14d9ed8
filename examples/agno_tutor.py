"""A tutor made with Agno that remembers in this site's database."""

from common import SESSION, prepare, questions

model, username = prepare()

from agno.agent import Agent
from agno.models.openai import OpenAIChat

from chats.integrations.agno import DjangoDb

agent = Agent(
    model=OpenAIChat(id=model.name, base_url=model.base_url, api_key=model.api_key),
    instructions="You are a patient tutor. Answer briefly.",
    db=DjangoDb(),
    session_id=SESSION,
    user_id=username,
    add_history_to_context=True,
    num_history_runs=10,
    telemetry=False,
)
for question in questions():
    print(f"Tutor: {agent.run(question).content}")

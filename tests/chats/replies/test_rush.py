"""An ending waits for replies that are on their way to the model, and for no others."""

import asyncio

from chats.replies.rush import Rush


async def test_an_ending_waits_until_the_last_reply_has_reached_the_model() -> None:
    rush = Rush()
    await rush.over()  # at once: there is none
    with rush:
        with rush:
            ending = asyncio.create_task(rush.over())
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not ending.done()
    await ending


async def test_an_ending_does_not_wait_for_ever() -> None:
    rush = Rush()
    with rush:
        await rush.over()

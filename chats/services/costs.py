"""What replies cost, by the operator's table of prices."""

from decimal import Decimal

from django.conf import settings

MILLION = 1_000_000


def cost(model: str, prompt_tokens: int | None, completion_tokens: int | None) -> Decimal | None:
    """Dollars by MODEL_PRICES, or None for a model that it has no prices for.

    A provider may answer with a dated name, gpt-5-mini-2025-08-07: the longest name in the table that begins it counts.
    """
    names = [name for name in settings.MODEL_PRICES if model == name or model.startswith(f"{name}-")]
    if not names:
        return None
    per_prompt, per_completion = settings.MODEL_PRICES[max(names, key=len)]
    return (
        Decimal(str(per_prompt)) * (prompt_tokens or 0) + Decimal(str(per_completion)) * (completion_tokens or 0)
    ) / MILLION

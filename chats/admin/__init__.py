"""Conversations for operators: read (and it is noted), governed, explained. Each module registers its own models."""

from chats.admin import people, records, replies, sessions

__all__ = ["people", "records", "replies", "sessions"]

"""Real servers that stand in for what the site talks to, each in a process of its own."""

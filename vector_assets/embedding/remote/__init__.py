"""Embeds with an OpenAI-compatible server."""

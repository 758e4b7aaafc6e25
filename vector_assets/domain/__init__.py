"""The nouns: values with a meaning and no I/O. Each refuses nonsense when it is made."""

"""Numbers in the sentences of check results."""


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: `1 chunk`, `2,000 chunks`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def agreeing(number: int, singular: str, plural: str) -> str:
    """Choose the form of a verb or a noun that agrees with the number."""
    return singular if number == 1 else plural

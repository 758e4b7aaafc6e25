"""A vector for every chunk of company filings: complete, current, and watched while it is made."""

"""What the vectors look like, judged by numbers alone: rows, drift, distributions, estimates, and what a model sees."""

"""Show figures to people: PNG charts by matplotlib, and the rows of the coverage tables.

`coverage_heatmap` draws coverage by document type and market, `vectors_chart` the vectors of one run, `coverage_table`
gives table rows. `figure` holds what all pictures share. matplotlib is imported only when something is drawn.
"""

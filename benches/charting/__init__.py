"""Draws the charts of `docs/charts` from the JSON reports of the benches."""

"""The pictures of `docs/charts`, and what they are drawn from."""
